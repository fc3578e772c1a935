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

__all__ = ["clip_boxes", "coverage", "crop", "paste"]

_FRAMES_AT_ONCE = 8
_CROPS_AT_ONCE = 32
"""On a CPU: so few that what the two stages hand over stays in its cache, and that their boxes lie close together."""


def clip_boxes(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return the parts of half-open boxes (..., 4) that lie in the frame; nothing is left of a box outside it."""
    limit = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limit)


def coverage(low: Tensor, high: Tensor, length: int) -> Tensor:
    """Return how much of each unit cell ``[j, j + 1)`` the intervals ``[low, high)`` cover.

    Parameters
    ----------
    low, high : Tensor, (...)
        Ends of the intervals.
    length : int
        Number of cells.

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
    frames : Tensor, (B, C, H, W), floating or uint8
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
    b, c, h, w = frames.shape
    k = boxes.shape[1]
    x1, y1, x2, y2 = clip_boxes(boxes.float().nan_to_num(), h, w).unbind(-1)
    above, below = _windows(y1, (y2 - y1) / size, size, h)
    left, right = _windows(x1, (x2 - x1) / size, size, w)
    crops = torch.empty((b, k, c, size, size), dtype=torch.float32, device=frames.device)
    for part in _parts(b, k, frames.device):
        crops[part] = _average(frames[part[0]], above[part], below[part], left[part], right[part])
    return crops.view(b * k, c, size, size)


def _average(frames: Tensor, above: Tensor, below: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Average frames (B, C, H, W) over windows, (B, K, S) each: (B, K, C, S, S)."""
    b, k, size = above.shape
    if frames.device.type == "cpu":  # an accelerator would have to be waited for, to know what is not needed
        top, start = int(above.min()), int(left.min())
        frames = frames[..., top : math.ceil(below.max()), start : math.ceil(right.max())]
        above, below, left, right = above - top, below - top, left - start, right - start
    c, h, w = frames.shape[1:]
    # Rows first, as sparse sums: each of the S rows of a crop is made of a few whole rows of its frame.
    table = torch.empty((b, h, c, w), dtype=torch.float32, device=frames.device).copy_(frames.transpose(1, 2))
    taps = math.ceil(max(1, h / size)) + 1
    first = above.floor()
    weight = coverage(above - first, below - first, taps) / (below - above)[..., None]
    row = (first[..., None] + torch.arange(taps, device=first.device)).long().clamp_(0, h - 1)
    row += (torch.arange(b, device=row.device) * h)[:, None, None, None]
    rows = F.embedding_bag(
        row.view(-1, taps), table.view(b * h, c * w), mode="sum", per_sample_weights=weight.view(-1, taps)
    )
    # Then columns, as a dense product.
    columns = coverage(left, right, w).div_((right - left)[..., None])
    crops = torch.bmm(rows.view(b * k, size * c, w), columns.view(b * k, size, w).transpose(1, 2))
    return crops.view(b, k, size, c, size).transpose(2, 3)


def _parts(examples: int, references: int, device: torch.device) -> Iterator[tuple[slice, slice]]:
    """Yield which frames and which of their boxes are cropped at once."""
    some, each = max(1, examples), max(1, references)
    if device.type == "cpu":
        each = min(each, _CROPS_AT_ONCE)
        some = min(_FRAMES_AT_ONCE, _CROPS_AT_ONCE // each)
    for b in range(0, examples, some):
        for k in range(0, references, each):
            yield slice(b, b + some), slice(k, k + each)


def paste(maps: Tensor, boxes: Tensor, frame: int) -> Tensor:
    """Resize K maps for each of B frames into their boxes, the inverse of `crop`.

    Parameters
    ----------
    maps : Tensor, (B * K, h, w), floating
        Row ``b * K + k`` belongs to box k of frame b.
    boxes : Tensor, (B, K, 4), floating
        As in `crop`.
    frame : int
        Side of the square frame, F.

    Returns
    -------
    Tensor, (B, K, F, F), float32
        Zero at pixels whose centre is not in the box.
    """
    b, k = boxes.shape[:2]
    x1, y1, x2, y2 = clip_boxes(boxes.float(), frame, frame).reshape(b * k, 4).unbind(1)
    rows = _pasting(y1, y2, maps.shape[1], frame)
    columns = _pasting(x1, x2, maps.shape[2], frame)
    return torch.bmm(torch.bmm(rows, maps.float()), columns.transpose(1, 2)).view(b, k, frame, frame)


def _pasting(low: Tensor, high: Tensor, cells: int, frame: int) -> Tensor:
    """Return the (M, frame, cells) matrix that resizes `cells` values into [low, high) of a line of the frame."""
    step = cells / (high - low).clamp(min=1e-6)
    start, end = _windows(-low * step, step, frame, cells)
    matrix = coverage(start, end, cells).div_((end - start).clamp(min=1e-6)[..., None])
    centre = torch.arange(frame, dtype=low.dtype, device=low.device) + 0.5
    inside = (centre >= low[:, None]) & (centre < high[:, None])
    return matrix.mul_(inside[..., None])


def _windows(start: Tensor, step: Tensor, count: int, length: int) -> tuple[Tensor, Tensor]:
    """Return both ends, (M, count), of the windows that `count` steps from `start` average over, within the length."""
    centre = start[..., None] + step[..., None] * (torch.arange(count, dtype=start.dtype, device=start.device) + 0.5)
    half = step.clamp(min=1)[..., None] / 2
    return (centre - half).clamp_(0, length), (centre + half).clamp_(0, length)
