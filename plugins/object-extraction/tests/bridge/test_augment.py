from __future__ import annotations

import numpy as np
import torch
from jointtask_object_extraction.bridge.augment import mirror_boxes, mirror_frames, recolour


def test_only_the_chosen_rows_are_mirrored() -> None:
    frames = torch.arange(2 * 3 * 4 * 6).view(2, 3, 4, 6)
    mirrored = mirror_frames(frames, torch.tensor([False, True]))
    assert torch.equal(mirrored[0], frames[0])
    assert torch.equal(mirrored[1], frames[1].flip(-1))


def test_a_mirrored_box_holds_the_mirrored_pixels() -> None:
    mask = torch.zeros(1, 10, 10)
    mask[0, 2:5, 1:4] = 1
    chosen = torch.tensor([True])
    box = mirror_boxes(torch.tensor([[[1.0, 2, 4, 5]]]), chosen, 10)
    assert box.tolist() == [[[6, 2, 9, 5]]]
    x1, y1, x2, y2 = box[0, 0].int().tolist()
    there = mirror_frames(mask, chosen)
    assert there[0, y1:y2, x1:x2].sum() == there.sum() == 9


def test_mirroring_twice_changes_nothing() -> None:
    boxes = torch.tensor([[[1.5, 2, 4, 5], [-3, 0, 230, 9]], [[0.0, 0, 8, 8], [1, 1, 9, 9]]])
    chosen = torch.tensor([True, False])
    assert torch.equal(mirror_boxes(mirror_boxes(boxes, chosen, 224), chosen, 224), boxes)


def test_factors_of_one_change_no_colour() -> None:
    frames = torch.randint(0, 256, (2, 3, 5, 5), dtype=torch.uint8)
    one = torch.ones(2)
    torch.testing.assert_close(recolour(frames, one, one, one), frames.float(), atol=1e-3, rtol=0)


def test_recolour_is_saturation_then_contrast_then_brightness() -> None:
    frames = torch.randint(60, 190, (3, 3, 6, 7), dtype=torch.uint8)
    brightness, contrast, saturation = (torch.tensor(v) for v in ([1.1, 0.8, 1.0], [0.9, 1.1, 0.7], [0.5, 1.2, 1.0]))
    changed = recolour(frames, brightness, contrast, saturation).numpy()
    for i, frame in enumerate(frames.numpy().astype(np.float64)):
        grey = np.tensordot([0.299, 0.587, 0.114], frame, axes=1)
        value = grey + saturation[i].item() * (frame - grey)
        value = grey.mean() + contrast[i].item() * (value - grey.mean())
        np.testing.assert_allclose(changed[i], np.clip(brightness[i].item() * value, 0, 255), atol=0.01)


def test_colours_stay_in_range() -> None:
    frames = torch.randint(0, 256, (2, 3, 9, 9), dtype=torch.uint8)
    changed = recolour(frames, torch.full((2,), 2.0), torch.full((2,), 2.0), torch.full((2,), 2.0))
    assert changed.min() >= 0
    assert changed.max() <= 255
