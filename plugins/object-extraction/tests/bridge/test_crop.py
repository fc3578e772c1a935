from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jointtask_object_extraction.bridge.crop import clip_boxes, coverage, crop, paste
from numpy.typing import NDArray
from torch import Tensor

SIDE = 24


def window_means(line: NDArray[np.float64], low: float, high: float, size: int) -> NDArray[np.float64]:
    """The filter as crop.py words it, one window and one cell at a time; `line` is (L, ...)."""
    length, step = len(line), (high - low) / size
    result = np.zeros((size, *line.shape[1:]))
    for i in range(size):
        centre, half = low + (i + 0.5) * step, max(step, 1.0) / 2
        a, b = max(centre - half, 0.0), min(centre + half, float(length))
        for j in range(length if b > a else 0):
            result[i] += max(min(b, j + 1) - max(a, j), 0.0) / (b - a) * line[j]
    return result


def slow_crop(frame: NDArray[np.uint8], box: list[float], size: int) -> NDArray[np.float64]:
    h, w, _ = frame.shape
    x1, x2 = np.clip(box[0::2], 0, w)
    y1, y2 = np.clip(box[1::2], 0, h)
    rows = window_means(frame.astype(np.float64), y1, y2, size)
    return window_means(rows.swapaxes(0, 1), x1, x2, size).swapaxes(0, 1)


def random_frames(batch: int, channels: int, side: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, channels, side, side), dtype=torch.uint8, generator=generator)


coordinate = st.floats(-10, 30, width=32)
length = st.floats(0.5, 40, width=32)


@settings(max_examples=25, deadline=None)
@given(corner=st.tuples(coordinate, coordinate), sides=st.tuples(length, length), size=st.integers(1, 12))
def test_crop_is_the_window_mean(corner: tuple[float, float], sides: tuple[float, float], size: int) -> None:
    frame = random_frames(1, 3, SIDE)
    box = [*corner, corner[0] + sides[0], corner[1] + sides[1]]
    fast = crop(frame, torch.tensor(box).view(1, 1, 4), size)
    if min(min(box[2], SIDE) - max(box[0], 0), min(box[3], SIDE) - max(box[1], 0)) > 0:
        slow = slow_crop(frame[0].permute(1, 2, 0).numpy(), torch.tensor(box).tolist(), size)
        np.testing.assert_allclose(fast[0].permute(1, 2, 0), slow, atol=0.05)
    assert bool(torch.isfinite(fast).all())


@pytest.mark.parametrize(("box", "size"), [((3, 5, 103, 205), 50), ((0, 0, 224, 224), 55), ((10, 20, 219, 131), 55)])
def test_shrinking_is_the_area_average_of_cv2(box: tuple[int, int, int, int], size: int) -> None:
    frame = random_frames(1, 3, 224)
    x1, y1, x2, y2 = box
    part = np.ascontiguousarray(frame[0, :, y1:y2, x1:x2].permute(1, 2, 0).numpy().astype(np.float32))
    expected = cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)
    ours = crop(frame, torch.tensor([[box]], dtype=torch.float32), size)[0].permute(1, 2, 0)
    np.testing.assert_allclose(ours, expected, atol=0.01)


def test_enlarging_is_linear_interpolation() -> None:
    frame = random_frames(1, 3, 20)
    whole = crop(frame, torch.tensor([[[0.0, 0, 20, 20]]]), 50)
    expected = torch.nn.functional.interpolate(frame.float(), (50, 50), mode="bilinear", align_corners=False)
    torch.testing.assert_close(whole, expected, atol=1e-3, rtol=0)


def test_rows_are_examples_then_references() -> None:
    value = torch.tensor([10, 20, 30], dtype=torch.uint8)
    frames = value.view(3, 1, 1, 1).expand(3, 2, 30, 30).clone()
    frames[:, :, :, 15:] += 5
    left, right = [0.0, 0, 15, 30], [15.0, 0, 30, 30]
    crops = crop(frames, torch.tensor([[left, right]] * 3), 4)
    assert crops.shape == (6, 2, 4, 4)
    torch.testing.assert_close(crops[:, 0, 0, 1], torch.tensor([10.0, 15, 20, 25, 30, 35]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("references", [1, 7, 100])
def test_crops_of_many_frames_are_the_crops_of_each(references: int) -> None:
    frames = random_frames(20, 3, 64)
    generator = torch.Generator().manual_seed(1)
    corner = torch.rand(20, references, 2, generator=generator) * 30
    boxes = torch.cat([corner, corner + 9 + torch.rand(20, references, 2, generator=generator) * 24], dim=-1)
    together = crop(frames, boxes, 11)
    apart = torch.cat([crop(frames[b : b + 1], boxes[b : b + 1], 11) for b in range(20)])
    torch.testing.assert_close(together, apart, atol=1e-3, rtol=0)


def test_crop_mirrors_with_its_frame() -> None:
    frames = random_frames(2, 3, 60)
    boxes = torch.tensor([[[3.5, 4, 41, 59]], [[-6.0, 10, 30, 18]]])
    x1, y1, x2, y2 = boxes.unbind(-1)
    mirrored = crop(frames.flip(-1), torch.stack([60 - x2, y1, 60 - x1, y2], dim=-1), 13)
    torch.testing.assert_close(mirrored.flip(-1), crop(frames, boxes, 13), atol=1e-2, rtol=0)


def test_a_box_over_the_edge_is_clipped() -> None:
    frames = random_frames(1, 3, 60)
    over, clipped = torch.tensor([[[-20.0, 30, 30, 90]]]), torch.tensor([[[0.0, 30, 30, 60]]])
    assert torch.equal(clip_boxes(over, 60), clipped)
    assert torch.equal(crop(frames, over, 9), crop(frames, clipped, 9))
    maps = torch.rand(1, 9, 9)
    assert torch.equal(paste(maps, over, 60), paste(maps, clipped, 60))


def test_a_box_that_is_not_a_number_leaves_the_others_alone() -> None:
    frames = random_frames(2, 3, 60)
    boxes = torch.tensor([[[5.0, 6, 50, 40]], [[10.0, 20, 30, 58]]])
    spoilt = torch.stack([boxes[0], torch.full_like(boxes[1], torch.nan)])
    crops = crop(frames, spoilt, 9)
    torch.testing.assert_close(crops[0], crop(frames, boxes, 9)[0], atol=1e-3, rtol=0)
    assert bool(torch.isfinite(crops).all())


def test_coverage_adds_up_to_the_length() -> None:
    low, high = torch.tensor([0.25, 3.0, 2.5]), torch.tensor([5.5, 3.0, 2.75])
    covered = coverage(low, high, 6)
    torch.testing.assert_close(covered.sum(dim=1), high - low)
    torch.testing.assert_close(covered[0], torch.tensor([0.75, 1, 1, 1, 1, 0.5]))


@settings(max_examples=25, deadline=None)
@given(corner=st.tuples(coordinate, coordinate), sides=st.tuples(length, length))
def test_paste_is_the_window_mean_inside_and_zero_outside(
    corner: tuple[float, float], sides: tuple[float, float]
) -> None:
    frame, cells = SIDE, 5
    generator = torch.Generator().manual_seed(2)
    maps = torch.rand(1, cells, cells, generator=generator)
    box = torch.tensor([*corner, corner[0] + sides[0], corner[1] + sides[1]])
    pasted = paste(maps, box.view(1, 1, 4), frame)[0, 0].double().numpy()
    x1, y1, x2, y2 = clip_boxes(box, frame).tolist()
    inside_x, inside_y = ((np.arange(frame) + 0.5 >= a) & (np.arange(frame) + 0.5 < b) for a, b in ((x1, x2), (y1, y2)))
    expected = np.zeros((frame, frame))
    if inside_x.any() and inside_y.any():
        scale_x, scale_y = cells / (x2 - x1), cells / (y2 - y1)
        rows = window_means(maps[0].double().numpy(), -y1 * scale_y, (frame - y1) * scale_y, frame)
        both = window_means(rows.T, -x1 * scale_x, (frame - x1) * scale_x, frame).T
        expected[np.ix_(inside_y, inside_x)] = both[np.ix_(inside_y, inside_x)]
    np.testing.assert_allclose(pasted, expected, atol=1e-3)


def test_paste_undoes_crop_where_no_detail_is_lost() -> None:
    smooth = torch.linspace(0, 1, 224).view(1, 1, 1, 224) * torch.linspace(0, 1, 224).view(1, 1, 224, 1)
    boxes = torch.tensor([[[20.0, 40, 170, 140], [0.0, 0, 224, 224]]])
    back = paste(crop(smooth, boxes, 50)[:, 0], boxes, 224)
    torch.testing.assert_close(back[0, 0, 43:137, 23:167], smooth[0, 0, 43:137, 23:167], atol=1e-3, rtol=0)
    torch.testing.assert_close(back[0, 1, 5:-5, 5:-5], smooth[0, 0, 5:-5, 5:-5], atol=1e-3, rtol=0)
    outside = torch.ones(224, 224, dtype=torch.bool)
    outside[40:140, 20:170] = False
    assert not back[0, 0][outside].any()


def test_a_perfect_mask_survives_fifty_by_fifty() -> None:
    row, column = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    angle = torch.atan2(row - 112, column - 100)
    mask = ((row - 112) ** 2 + (column - 100) ** 2).sqrt() < 70 + 20 * torch.cos(5 * angle)
    ys, xs = torch.nonzero(mask, as_tuple=True)
    box = torch.tensor([[[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]]], dtype=torch.float32)
    output = crop(mask[None, None].float(), box, 50)[:, 0] >= 0.5
    back = paste(output, box, 224)[0, 0] >= 0.5
    assert (back & mask).sum() / (back | mask).sum() > 0.96
