from __future__ import annotations

import torch
from jointtask_digit_reading.scene import CROP, FRAME, crop, place, polar


def corner() -> torch.Tensor:
    """A digit, (1, 8, 8), with ink in its upper left quarter."""
    digit = torch.zeros(1, 8, 8)
    digit[0, :4, :4] = 1
    return digit


def drawn(angle: float) -> torch.Tensor:
    return place(corner(), torch.tensor([angle]), torch.zeros(1, 2), torch.tensor([float(CROP)]))


def quarters(image: torch.Tensor) -> list[list[int]]:
    """Return which quarters of a square hold ink."""
    half = image.shape[-1] // 2
    rows = ((slice(None, half), slice(half, None)),) * 2
    return [[round(float(image[r, c].mean() > 0.08)) for c in rows[1]] for r in rows[0]]


def test_a_positive_angle_turns_counterclockwise() -> None:
    assert quarters(drawn(0)[0]) == [[1, 0], [0, 0]]
    assert quarters(drawn(90)[0]) == [[0, 0], [1, 0]]
    assert quarters(drawn(-90)[0]) == [[0, 1], [0, 0]]


def test_a_crop_at_the_angle_of_a_digit_shows_it_upright() -> None:
    upright = crop(drawn(0), torch.zeros(1, 1))[0, 0]
    for angle in (-135.0, 30.0, 90.0, 180.0):
        seen = crop(drawn(angle), torch.tensor([[angle, angle + 180]]))[0]
        assert float((seen[0] - upright).abs().mean()) < 0.03, angle
        assert float((seen[1] - upright).abs().mean()) > 0.3, angle


def test_a_crop_at_no_angle_is_the_middle_of_the_frame() -> None:
    image = torch.rand(2, FRAME, FRAME, generator=torch.Generator().manual_seed(0))
    margin = (FRAME - CROP) // 2
    seen = crop(image, torch.zeros(2, 1))[:, 0]
    torch.testing.assert_close(seen, image[:, margin:-margin, margin:-margin], atol=1e-5, rtol=0)


def test_a_rotation_shifts_the_rays() -> None:
    upright, turned = polar(drawn(0), 14, 48), polar(drawn(90), 14, 48)
    assert float((turned - upright.roll(12, dims=2)).abs().mean()) < 0.01
    # up and to the left of the middle is counterclockwise of up
    assert float(upright[0, :, 1:11].mean()) > 0.5 > 0.05 > float(upright[0, :, 13:47].mean())


def test_a_digit_lies_where_it_is_placed() -> None:
    image = place(torch.ones(1, 8, 8), torch.zeros(1), torch.tensor([[10.0, -5.0]]), torch.tensor([8.0]))[0]
    rows, columns = torch.nonzero(image > 0.5, as_tuple=True)
    assert (rows.min().item(), rows.max().item()) == (11, 18)
    assert (columns.min().item(), columns.max().item()) == (26, 33)
