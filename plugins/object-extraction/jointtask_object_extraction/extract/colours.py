"""The object's own colours where it is half transparent, without those of the background that shone through."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["foreground_colours"]

_WORKING_PIXELS = 1_000_000
"""Mean colours are smooth, and are computed on a photograph reduced to this size."""

_WIDE, _NARROW = 0.1, 0.01
"""Sides of the two windows, as shares of the longer side of the photograph."""


def foreground_colours(image: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Estimate the object's colours: ``image = alpha * foreground + (1 - alpha) * background``.

    Parameters
    ----------
    image : ndarray, (H, W, 3), uint8
        RGB values of the photograph.
    alpha : ndarray, (H, W), float32
        Opacity of the object, in [0, 1].

    Returns
    -------
    ndarray, (H, W, 3), uint8
        RGB values; the photograph's own where alpha is 0 or 1.

    Notes
    -----
    M. Forte, "Approximate fast foreground colour estimation", ICIP 2021: mean colours of object and background in a
    wide and then in a narrow window, each followed by a correction that brings the mixture back to the photograph.
    """
    partial = (alpha > 0) & (alpha < 1)
    if not partial.any():
        return image
    height, width = alpha.shape
    scale = min(1.0, math.sqrt(_WORKING_PIXELS / (height * width)))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = _resize(image, size).astype(np.float32)
    opacity = _resize(alpha, size)[..., None]
    foreground, background = small, small
    for share in (_WIDE, _NARROW):
        side = max(3, round(share * max(size)))
        foreground, background = _means(foreground, background, opacity, side)
        last = foreground, background
        foreground = np.clip(foreground + opacity * _residual(small, foreground, background, opacity), 0, 255)
    means = cv2.resize(np.dstack(last), (width, height), interpolation=cv2.INTER_LINEAR)[partial]
    # The last correction is made at the photograph's own size, so that its texture stays.
    front, back, share_of = means[:, :3], means[:, 3:], alpha[partial][:, None]
    front = front + share_of * _residual(image[partial].astype(np.float32), front, back, share_of)
    result = image.copy()
    result[partial] = np.rint(np.clip(front, 0, 255)).astype(np.uint8)
    return result


def _means(foreground: Any, background: Any, alpha: Any, side: int) -> tuple[Any, Any]:
    """Return the mean colours of object and background in windows, weighted by opacity and by transparency."""

    def mean(values: Any) -> Any:
        blurred = cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT)
        return blurred if blurred.ndim == 3 else blurred[..., None]

    inside, outside = mean(alpha), mean(1 - alpha)
    return mean(foreground * alpha) / (inside + 1e-5), mean(background * (1 - alpha)) / (outside + 1e-5)


def _residual(image: Any, foreground: Any, background: Any, alpha: Any) -> Any:
    """Return what the mixture of both colours lacks of the photograph."""
    return image - alpha * foreground - (1 - alpha) * background


def _resize(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    same = image.shape[1::-1] == size
    return image if same else np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
