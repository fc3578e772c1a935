"""OpenCV's resampling of bytes as tensor operations that ONNX has: what `squash` does, for any size in one graph.

It is the same to the last bit, because the networks are sensitive: one grey level in a thousand pixels moves a box by a
tenth of a frame unit. So sums are taken in OpenCV's order and precision, cell after cell in float32 (`accumulate`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from jointtask_object_extraction.bridge.crop import clip_boxes, coverage

__all__ = ["accumulate", "crop_one", "squash_bytes"]

_COEFFICIENT = 2048
"""OpenCV's unit of the coefficients of linear interpolation of bytes."""

_NEGLIGIBLE = 1e-3
"""Share of a cell at the end of a window that OpenCV leaves out."""

_WHOLE = 2.3e-16
"""How far from a whole number OpenCV takes a ratio for one."""


@torch.library.custom_op("jointtask_object_extraction::accumulate", mutates_args=())
def accumulate(values: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Sum weighted cells of lines, one cell after the other.

    Parameters
    ----------
    values : Tensor, (A, L, C), float32
        Lines of L cells.
    index : Tensor, (T, S), int64
        Cells that make up each of S sums, in order.
    weight : Tensor, (T, S), float32
        Weights of the taps.

    Returns
    -------
    Tensor, (A, S, C), float32
    """
    total = values.new_zeros((values.shape[0], index.shape[1], values.shape[2]))
    for cells, weights in zip(index, weight, strict=True):
        total = total + values[:, cells] * weights[:, None]
    return total


@accumulate.register_fake
def _(values: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    return values.new_empty((values.shape[0], index.shape[1], values.shape[2]))


def squash_bytes(image: Tensor, side: int) -> Tensor:
    """Squash an image as `jointtask_object_extraction.data.decode.squash` does.

    Parameters
    ----------
    image : Tensor, (H, W, 3), uint8
        The image; H and W may be symbolic.
    side : int
        Side of the square, S.

    Returns
    -------
    Tensor, (3, S, S), float32
        Whole numbers in [0, 255].
    """
    height, width = image.shape[0], image.shape[1]
    small = _shrink(image, side).permute(2, 0, 1)
    first, second, a, b = _linear(width, side, clamped=True)
    across = small[:, :, first] * a + small[:, :, second] * b
    first, second, a, b = _linear(height, side, clamped=False)
    above = _floor(_floor(across[:, first, :], 16) * a[:, None], 65536)
    below = _floor(_floor(across[:, second, :], 16) * b[:, None], 65536)
    return _floor(above + below + 2, 4).float()


def crop_one(frame: Tensor, box: Tensor, size: int) -> Tensor:
    """Crop one box out of one frame as `jointtask_object_extraction.bridge.crop.crop` does, by dense matrices.

    Parameters
    ----------
    frame : Tensor, (3, F, F), float32
        The frame.
    box : Tensor, (4,), float32
        Half-open (x1, y1, x2, y2) in pixels of the frame.
    size : int
        Side of the crop, S.

    Returns
    -------
    Tensor, (1, 3, S, S), float32
    """
    side = frame.shape[-1]
    low, high = clip_boxes(box.float(), side).reshape(2, 2).unbind(0)
    step = (high - low) / size
    centre = low[:, None] + step[:, None] * (torch.arange(size, dtype=torch.float32) + 0.5)
    half = step.clamp(min=1)[:, None] / 2
    start, end = (centre - half).clamp(0, side), (centre + half).clamp(0, side)
    columns, rows = (coverage(start, end, side) / (end - start)[..., None]).unbind(0)
    return (rows @ frame @ columns.T)[None]


def _size(length: int) -> Tensor:
    return torch.scalar_tensor(length, dtype=torch.float64)


def _ratio(length: int, side: int) -> Tensor:
    """Return how many cells of a line become one, at least 1, with the rounding errors that OpenCV makes."""
    return 1.0 / (_size(length).clamp(max=side) / _size(length))


def _shrink(image: Tensor, side: int) -> Tensor:
    """Average over the cells that become one; what lies past the shrunk sides means nothing: (S, S, 3), int32."""
    height, width = image.shape[0], image.shape[1]
    down, right = _ratio(height, side), _ratio(width, side)
    # Where both ratios are whole, OpenCV sums the bytes and divides at the end.
    plain = ((down - down.round()).abs() < _WHOLE) & ((right - right.round()).abs() < _WHOLE)
    rows = accumulate(image.float(), *_windows(width, right, side, plain))
    total = accumulate(rows.reshape(1, height, side * 3), *_windows(height, down, side, plain)).reshape(side, side, 3)
    mean = torch.where(plain, total * (1.0 / (down * right)).float(), total)
    halved = plain & (down == 2) & (right == 2)  # the one ratio for which it rounds halves up
    return torch.where(halved, torch.floor(mean + 0.5), torch.round(mean)).to(torch.int32)


def _windows(length: int, ratio: Tensor, side: int, plain: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cells of each window on a line of `length`, and their weights, (T, side) each."""
    last = _size(length) - 1
    start = torch.arange(side, dtype=torch.float64) * ratio
    end = start + ratio
    width = torch.minimum(ratio, _size(length) - start)
    final = torch.minimum(torch.floor(end), last)
    first = torch.minimum(torch.ceil(start), final)
    cell = first - 1 + torch.arange(length // side + 4, dtype=torch.float64)[:, None]
    head, tail = first - start, torch.minimum(torch.minimum(end - final, torch.ones_like(end)), width)
    nothing = torch.zeros_like(cell)
    weight = torch.where((cell < first) & (head > _NEGLIGIBLE), head / width, nothing)
    weight = torch.where((cell >= first) & (cell < final), 1 / width, weight)
    weight = torch.where((cell == final) & (end - final > _NEGLIGIBLE), tail / width, weight)
    weight = torch.where(plain, (weight > 0).double(), weight)
    return torch.minimum(cell.clamp(min=0), last).to(torch.int64), weight.float()


def _linear(length: int, side: int, *, clamped: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return both neighbours of each of `side` cells on the shrunk line, and their weights in OpenCV's units.

    OpenCV clamps places past an end to it along rows; along columns it clamps the neighbours alone, and sums the same
    value twice with weights that are each rounded.
    """
    shrunk = _size(length).clamp(max=side)
    place = ((torch.arange(side, dtype=torch.float64) + 0.5) * (1.0 / (side / shrunk)) - 0.5).float()
    last = (shrunk - 1).float()
    if clamped:
        place = torch.minimum(place.clamp(min=0), last)
    first = torch.floor(place)
    share = place - first
    weights = [torch.round(part * _COEFFICIENT).to(torch.int32) for part in (1 - share, share)]
    cells = [torch.minimum(cell.clamp(min=0), last).to(torch.int64) for cell in (first, first + 1)]
    return cells[0], cells[1], weights[0], weights[1]


def _floor(values: Tensor, by: int) -> Tensor:
    """Divide whole numbers that are not negative."""
    return torch.div(values, by, rounding_mode="trunc")
