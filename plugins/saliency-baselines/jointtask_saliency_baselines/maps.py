"""What the saliency maps share: the check and the largest size of an image, the range of a map, means over labels."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MOST_PIXELS",
    "Floats",
    "Image",
    "Labels",
    "Map",
    "label_colours",
    "label_means",
    "min_max",
    "pixel_centres",
    "saliency_map",
    "soften",
    "to_lab",
    "working_size",
]

MOST_PIXELS = 512 * 512
"""Of an image that is looked at as it is; those of the usual data sets are smaller."""

Floats = NDArray[np.floating[Any]]
Image = NDArray[np.uint8]
"""(H, W, 3), RGB."""

Labels = NDArray[np.int32]
"""(H, W), numbered from 0."""

Map = NDArray[np.float32]
"""(H, W), in [0, 1]."""


def saliency_map(function: Callable[[Image], Map]) -> Callable[[Image], Map]:
    """Check the image of a saliency map, and shrink it if it is large.

    The sizes in these methods (regions of 200 pixels, boxes of 33) are meant for images of about 400 x 300. An image
    of more than 512 x 512 pixels is shrunk to as many, its sides in proportion, and its map is enlarged.

    Parameters
    ----------
    function : callable
        A function of an image (H, W, 3), uint8 RGB, of at most 512 x 512 pixels, that gives its map (H, W), float32 in
        [0, 1].

    Returns
    -------
    callable
        The same for an image of any size. It raises ValueError for what is not an (H, W, 3) uint8 array, or empty.
    """

    @functools.wraps(function)
    def checked(image: Image) -> Map:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"a saliency map is made of an (H, W, 3) uint8 image, not of {image.shape} {image.dtype}")
        height, width = image.shape[:2]
        if height * width <= MOST_PIXELS:
            return function(image)
        small: Image = cv2.resize(image, working_size(height, width), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        enlarged: Map = cv2.resize(function(small), (width, height))  # type: ignore[assignment]
        return enlarged

    return checked


def working_size(height: int, width: int) -> tuple[int, int]:
    """Return the width and height at which an image is worked on: its own, or of 512 x 512 pixels in all."""
    share = min(1.0, (MOST_PIXELS / (height * width)) ** 0.5)
    return min(max(1, int(width * share)), MOST_PIXELS), min(max(1, int(height * share)), MOST_PIXELS)


def min_max(values: Floats) -> NDArray[np.float64]:
    """Stretch values to [0, 1]; values that are all the same become 0."""
    low, high = float(values.min()), float(values.max())
    return (values.astype(np.float64) - low) / ((high - low) or 1.0)


def pixel_centres(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far the centre of each pixel is right of, (1, W), and below, (H, 1), the image's; in pixels."""
    x, y = (np.arange(side, dtype=np.float64) - (side - 1) / 2 for side in (width, height))
    return x[None], y[:, None]


def to_lab(rgb: Floats) -> NDArray[np.float64]:
    """Convert RGB colours (..., 3) in [0, 1] to CIELAB: L in [0, 100], a and b within about 127 of 0."""
    lab = cv2.cvtColor(rgb.reshape(1, -1, 3).astype(np.float32), cv2.COLOR_RGB2LAB)
    return lab.reshape(rgb.shape).astype(np.float64)


def label_means(labels: Labels, values: Floats, count: int) -> NDArray[np.float64]:
    """Return the mean of the values of the pixels that carry each label.

    Parameters
    ----------
    labels : ndarray, (H, W), int
        0 to `count` - 1, each carried by a pixel at least.
    values : ndarray, (H, W) or what broadcasts to it, float
    count : int

    Returns
    -------
    ndarray, (count,), float64
    """
    flat = labels.ravel()
    total = np.bincount(flat, np.broadcast_to(values, labels.shape).ravel(), count)
    return total / np.bincount(flat, minlength=count)


def label_colours(labels: Labels, image: Floats, count: int) -> NDArray[np.float64]:
    """Return the mean colour, (count, 3), of the pixels (H, W, 3) that carry each label; see `label_means`."""
    return np.stack([label_means(labels, channel, count) for channel in np.moveaxis(image, -1, 0)], axis=1)


def soften(values: Floats) -> Map:
    """Blur a map (H, W) with the weights 1, 2, 1 in each direction: OpenCV's Gaussian of 3 x 3 pixels."""
    blurred: Map = cv2.GaussianBlur(values.astype(np.float32), (3, 3), 0)  # type: ignore[assignment]
    return blurred.clip(0, 1)
