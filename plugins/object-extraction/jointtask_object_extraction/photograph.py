"""What one example of object extraction is, and what is extracted from it."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["FRAME", "MINIMUM_SIDE", "Extraction", "Photograph"]

FRAME = 224
"""Side of the square frame that every image is squashed to, in frame units (one unit is one frame pixel)."""

MINIMUM_SIDE = 8.0
"""Least width and height of a usable box, in frame units."""


@frozen(eq=False)
class Photograph:
    """An image at its own size, with its mask if it is annotated.

    Attributes
    ----------
    id : str
        Name of the image in the data set.
    image : ndarray, (H, W, 3), uint8
        RGB values in sRGB, upright, on white where the image is transparent.
    mask : ndarray, (H, W), bool, or None
        True on the object; None without annotation.
    alpha : ndarray, (H, W), uint8, or None
        Opacity of the image, 255 for opaque; None where all of it is.
    notes : tuple of str
        Decisions that were taken while the image was decoded.
    box : ndarray, (4,), float32, or None
        Annotated box (x1, y1, x2, y2), half-open, in pixels, where it is annotated beside the mask or without one.
    """

    id: str
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None
    alpha: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()
    box: NDArray[np.float32] | None = None


@frozen(eq=False)
class Extraction:
    """What was extracted from a photograph.

    Attributes
    ----------
    probability : ndarray, (H, W), float32
        Probability of the object, in [0, 1]; the mask is where it is at least 0.5.
    box : ndarray, (4,), float32, or None
        Half-open (x1, y1, x2, y2) in image pixels, as predicted; None from a predictor without boxes.
    """

    probability: NDArray[np.float32]
    box: NDArray[np.float32] | None
