"""Crop boxes out of frames and paste maps back: exact area filters, for all examples and references at once.

Both resample one axis at a time with the same filter, the mean over a window of at least one source cell. Shrinking, it
is the area average (as ``cv2.INTER_AREA``, for fractional boxes too); enlarging, it is linear interpolation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["clip_boxes", "coverage", "covers_pixels", "crop", "enlarge", "paste"]

_FRAMES_AT_ONCE = 8
_CROPS_AT_ONCE = 32
"""Limits on a CPU: the intermediate rows of so many crops fit into its cache."""


def clip_boxes(boxes: Tensor, frame: int) -> Tensor:
    """Return the parts of half-open boxes (..., 4) that lie in a square frame; nothing is left of a box outside it."""
    return boxes.clamp(0, frame)


def enlarge(boxes: Tensor, factor: Tensor | float) -> Tensor:
    """Multiply the sides of boxes (..., 4) by factors (..., 1), or by one factor, about their centres."""
    margin = (boxes[..., 2:] - boxes[..., :2]) * ((factor - 1) / 2)
    return boxes + torch.cat([-margin, margin], dim=-1)


def coverage(low: Tensor, high: Tensor, length: int) -> Tensor:
    """Return how much of each unit cell ``[j, j + 1)`` the intervals ``[low, high)`` cover.

    Parameters
    ----------
    low, high : Tensor, (...)
        Lower and upper ends of the intervals, in cells.
    length : int
        Number of cells on the line.

    Returns
    -------
    Tensor, (..., length)
        In [0, 1].
    """
    cell = torch.arange(length, dtype=low.dtype, device=low.device)
    return (high[..., None] - cell).clamp_(0, 1).sub_((low[..., None] - cell).clamp_(0, 1))


def crop(frames: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Crop K boxes out of each of B frames, and resize them to squares.

    Parameters
    ----------
    frames : Tensor, (B, C, F, F), floating or uint8
        Pixel (i, j) covers ``[j, j + 1) x [i, i + 1)``.
    boxes : Tensor, (B, K, 4), floating
        Half-open (x1, y1, x2, y2) in pixels of the frame; only the part in the frame is cropped.
    size : int
        Side of the crops, S.

    Returns
    -------
    Tensor, (B * K, C, S, S), float32
        In the units of `frames`; row ``b * K + k`` is box k of frame b.
    """
    b, c, side = frames.shape[:3]
    k = boxes.shape[1]
    low, high = clip_boxes(boxes.float().nan_to_num(), side).view(b, k, 2, 2).unbind(2)
    start, end = _windows(low, (high - low) / size, size, side)
    crops = torch.empty((b, k, c, size, size), dtype=torch.float32, device=frames.device)
    for chunk in _chunks(b, k, frames.device):
        crops[chunk] = _average(frames[chunk[0]], start[chunk], end[chunk])
    return crops.view(b * k, c, size, size)


def _chunks(examples: int, references: int, device: torch.device) -> Iterator[tuple[slice, slice]]:
    """Yield which frames, and which of their boxes, are cropped at once."""
    frame_count, box_count = max(1, examples), max(1, references)
    if device.type == "cpu":
        box_count = min(box_count, _CROPS_AT_ONCE)
        frame_count = min(_FRAMES_AT_ONCE, _CROPS_AT_ONCE // box_count)
    for b in range(0, examples, frame_count):
        for k in range(0, references, box_count):
            yield slice(b, b + frame_count), slice(k, k + box_count)


def _average(frames: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Average frames (B, C, H, W) over windows in x and y, (B, K, 2, S): (B, K, C, S, S)."""
    b, k, _, size = start.shape
    if frames.device.type == "cpu":  # on an accelerator, reading the bounds would wait for it
        (left, top), (right, bottom) = start.amin(dim=(0, 1, 3)).tolist(), end.amax(dim=(0, 1, 3)).tolist()
        left, top = int(left), int(top)
        frames = frames[..., top : math.ceil(bottom), left : math.ceil(right)]
        corner = torch.tensor([[left], [top]])
        start, end = start - corner, end - corner
    c, h, w = frames.shape[1:]
    # Rows first, as sparse sums: each of the S rows of a crop is made of a few whole rows of its frame.
    table = torch.empty((b, h, c, w), dtype=torch.float32, device=frames.device).copy_(frames.transpose(1, 2))
    above, below = start[:, :, 1], end[:, :, 1]
    taps = math.ceil(max(1, h / size)) + 1
    first = above.floor()
    weight = coverage(above - first, below - first, taps).div_((below - above)[..., None])
    row = (first[..., None] + torch.arange(taps, device=first.device)).long().clamp_(0, h - 1)
    row += (torch.arange(b, device=row.device) * h)[:, None, None, None]
    rows = F.embedding_bag(
        row.view(-1, taps), table.view(b * h, c * w), mode="sum", per_sample_weights=weight.view(-1, taps)
    )
    # Then columns, as a dense product.
    left_side, right_side = start[:, :, 0], end[:, :, 0]
    columns = coverage(left_side, right_side, w).div_((right_side - left_side)[..., None])
    crops = torch.bmm(rows.view(b * k, size * c, w), columns.view(b * k, size, w).transpose(1, 2))
    return crops.view(b, k, size, c, size).transpose(2, 3)


def paste(maps: Tensor, boxes: Tensor, frame: int) -> Tensor:
    """Resize K maps for each of B frames into their boxes, the inverse of `crop`.

    Parameters
    ----------
    maps : Tensor, (B * K, S, S), floating
        Row ``b * K + k`` belongs to box k of frame b.
    boxes : Tensor, (B, K, 4), floating
        Boxes as in `crop`.
    frame : int
        Side of the square frame, F.

    Returns
    -------
    Tensor, (B, K, F, F), float32
        Zero at pixels whose centre is not in the box.
    """
    b, k = boxes.shape[:2]
    cells = maps.shape[-1]
    low, high = clip_boxes(boxes.float(), frame).view(b * k, 2, 2).unbind(1)
    step = cells / (high - low).clamp(min=1e-6)
    start, end = _windows(-low * step, step, frame, cells)
    matrix = coverage(start, end, cells).div_((end - start).clamp(min=1e-6)[..., None])
    columns, rows = matrix.mul_(_centres_inside(low, high, frame)[..., None]).unbind(1)
    return torch.bmm(torch.bmm(rows, maps.float()), columns.transpose(1, 2)).view(b, k, frame, frame)


def covers_pixels(boxes: Tensor, frame: int) -> Tensor:
    """Say which pixels of a square frame have their centre in half-open boxes (..., 4): (..., F, F), bool.

    These are the pixels that `paste` writes.
    """
    x1, y1, x2, y2 = clip_boxes(boxes.float(), frame).unbind(-1)
    return _centres_inside(y1, y2, frame)[..., :, None] & _centres_inside(x1, x2, frame)[..., None, :]


def _centres_inside(low: Tensor, high: Tensor, length: int) -> Tensor:
    """Say which cells of a line have their centre in intervals ``[low, high)``, each (...): (..., length), bool."""
    centre = torch.arange(length, dtype=low.dtype, device=low.device) + 0.5
    return (centre >= low[..., None]) & (centre < high[..., None])


def _windows(start: Tensor, step: Tensor, count: int, length: int) -> tuple[Tensor, Tensor]:
    """Return both ends, (..., count), of the windows that `count` steps from `start` (...) average over."""
    centre = start[..., None] + step[..., None] * (torch.arange(count, dtype=start.dtype, device=start.device) + 0.5)
    half = step.clamp(min=1)[..., None] / 2
    return (centre - half).clamp_(0, length), (centre + half).clamp_(0, length)
