from __future__ import annotations

import pytest
import torch
from jointtask_object_extraction.compact import CompactLocalization, CompactSegmentation, SideHead
from jointtask_object_extraction.likelihood import MaskTarget


@pytest.fixture
def frames() -> torch.Tensor:
    return torch.randint(0, 256, (3, 3, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_localization_predicts_one_box_per_frame_whatever_else_is_in_the_batch(frames: torch.Tensor) -> None:
    torch.manual_seed(0)
    network = CompactLocalization().eval()
    with torch.no_grad():
        boxes = network({"image": frames})
        alone = network({"image": frames[1:2]})
    assert boxes.shape == (3, 4)
    assert boxes.dtype == torch.float32
    assert torch.equal(network.reference(boxes), boxes)
    torch.testing.assert_close(boxes[1:2], alone, atol=1e-3, rtol=0)


def test_each_side_is_the_position_that_its_map_attends_to() -> None:
    head = SideHead(4)
    with torch.no_grad():
        head.attend.weight.copy_(torch.eye(4).view(4, 4, 1, 1))
    maps = torch.zeros(1, 4, 14, 28)
    for side, (row, column) in enumerate([(5, 3), (2, 20), (9, 25), (13, 1)]):
        maps[0, side, row, column] = 100.0
    expected = torch.tensor([[3.5 * 8, 2.5 * 16, 25.5 * 8, 13.5 * 16]])
    torch.testing.assert_close(head(maps), expected)


def test_segmentation_has_the_shapes_it_declares() -> None:
    network = CompactSegmentation().eval()
    size = network.input_size
    logits = network(torch.rand(5, 3, size, size))
    assert logits.shape == (5, network.output_size, network.output_size)
    target = MaskTarget(torch.zeros_like(logits), torch.ones(5), torch.zeros(5))
    assert network.energy(logits, target).shape == (5,)


@pytest.mark.parametrize("network", [CompactLocalization(), CompactSegmentation()])
def test_every_parameter_is_in_exactly_one_group(network: CompactLocalization | CompactSegmentation) -> None:
    grouped = [parameter for group in network.parameter_groups().values() for parameter in group]
    assert sorted(map(id, grouped)) == sorted(map(id, network.parameters()))


def test_localization_learns_where_the_object_is() -> None:
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(0)
    frames = torch.full((16, 3, 224, 224), 60, dtype=torch.uint8)
    corner = torch.randint(0, 120, (16, 2), generator=random)
    for frame, (x, y) in zip(frames, corner.tolist(), strict=True):
        frame[:, y : y + 80, x : x + 80] = 200
    boxes = torch.cat([corner, corner + 80], dim=1).float()
    network = CompactLocalization()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(60):
        loss = network.energy(network({"image": frames}), boxes).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
    ignorant = network.energy(boxes.mean(dim=0, keepdim=True).expand(16, 4), boxes).mean()
    assert loss < 0.1 * ignorant
