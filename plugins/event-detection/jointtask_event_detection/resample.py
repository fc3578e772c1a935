"""Reading an interval of a frame at a fixed number of points, and writing what was predicted there back."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["coverage", "inside", "read", "write"]


def read(values: Tensor, reference: Tensor, points: int) -> Tensor:
    """Read intervals of frames.

    Parameters
    ----------
    values : Tensor, (B, L), floating
        Sample i covers ``[i, i + 1)``.
    reference : Tensor, (B, K, 2)
        Half-open intervals, in samples.
    points : int
        Parts of equal length that an interval is cut into.

    Returns
    -------
    Tensor, (B, K, points)
        The values at the middles of the parts, linear between the middles of samples; 0 beyond the frame.
    """
    share = (torch.arange(points, dtype=values.dtype, device=values.device) + 0.5) / points
    at = reference[..., :1] + (reference[..., 1:] - reference[..., :1]) * share - 0.5
    padded = F.pad(values, (1, 1))
    at = (at + 1).clamp(0, values.shape[1] + 1)
    low = at.floor().clamp(max=values.shape[1])
    share = at - low
    index = low.long().flatten(1)
    left, right = (padded.gather(1, index + step).view_as(at) for step in (0, 1))
    return left + (right - left) * share


def write(values: Tensor, reference: Tensor, length: int) -> Tensor:
    """Write what stands for the parts of intervals (B, K, points) into frames: (B, K, length), 0 outside the interval.

    Linear between the middles of the parts; the outermost parts reach to the ends. The middle of a sample decides
    whether it lies inside.
    """
    points = values.shape[-1]
    position = torch.arange(length, dtype=values.dtype, device=values.device) + 0.5
    first, last = reference[..., :1], reference[..., 1:]
    at = (position - first) / (last - first) * points - 0.5
    at = at.clamp(0, points - 1)
    low = at.floor().clamp(max=max(points - 2, 0))
    left = values.gather(2, low.long())
    right = values.gather(2, (low.long() + 1).clamp(max=points - 1))
    return (left + (right - left) * (at - low)) * inside(reference, length)


def inside(reference: Tensor, length: int) -> Tensor:
    """Say which samples of a frame have their middle in half-open intervals (..., 2): (..., length), bool."""
    position = torch.arange(length, dtype=reference.dtype, device=reference.device) + 0.5
    return (position >= reference[..., :1]) & (position < reference[..., 1:])


def coverage(reference: Tensor, length: int) -> Tensor:
    """Return by how much each sample of a frame is covered by intervals (..., 2): (..., length), from 0 to 1."""
    position = torch.arange(length, dtype=reference.dtype, device=reference.device)
    first, last = reference[..., :1], reference[..., 1:]
    return (torch.minimum(last, position + 1) - torch.maximum(first, position)).clamp(0, 1)
