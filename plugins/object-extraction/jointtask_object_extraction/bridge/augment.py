"""Transformations of frames for the M-step: mirroring, and colour."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["mirror_boxes", "mirror_frames", "recolour"]

_LUMA = (0.299, 0.587, 0.114)
"""Grey as a mixture of red, green and blue (ITU-R BT.601)."""


def mirror_frames(frames: Tensor, mirrored: Tensor) -> Tensor:
    """Mirror the chosen frames (B, ..., W) left to right; `mirrored` is (B,), bool."""
    chosen = mirrored.view(-1, *[1] * (frames.ndim - 1))
    return torch.where(chosen, frames.flip(-1), frames)


def mirror_boxes(boxes: Tensor, mirrored: Tensor, width: float) -> Tensor:
    """Mirror the half-open boxes (B, K, 4) of the chosen frames left to right; `mirrored` is (B,), bool."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.where(mirrored[:, None, None], torch.stack([width - x2, y1, width - x1, y2], dim=-1), boxes)


def recolour(frames: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Change the saturation, then the contrast, then the brightness of each frame; a factor of 1 changes nothing.

    Parameters
    ----------
    frames : Tensor, (B, 3, H, W), uint8 or floating
        RGB in [0, 255].
    brightness, contrast, saturation : Tensor, (B,), float32
        Factors on the value, on its distance from the frame's mean grey, and on its distance from the pixel's grey.

    Returns
    -------
    Tensor, (B, 3, H, W), float32
        RGB in [0, 255].
    """
    value = frames.float()
    grey = torch.einsum("bchw,c->bhw", value, value.new_tensor(_LUMA))[:, None]
    mean = grey.mean(dim=(2, 3), keepdim=True)
    b, c, s = (factor.to(value)[:, None, None, None] for factor in (brightness, contrast, saturation))
    offset = (b * c * (1 - s)) * grey + (b * (1 - c)) * mean
    return torch.addcmul(offset, b * c * s, value).clamp_(0, 255)
