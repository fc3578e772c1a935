"""The size at which images are cut: that of the data sets for which the methods were made."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["shrink"]

_LONGEST = 400


def shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink an image (H, W, 3), uint8, until its longer side has 400 pixels; a smaller one stays as it is."""
    scale = _LONGEST / max(image.shape[:2])
    if scale >= 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
