"""From the probability of the object to the opacity of its cut-out: edges at the photograph's resolution, no haze."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from jointtask_object_extraction.extract.mixture import at_band, mix_by_colour
from jointtask_object_extraction.photograph import FRAME

__all__ = ["make_alpha", "ramp", "refine_edges"]

RAMP = (0.3, 0.7)
"""Probabilities that become fully transparent and fully opaque; symmetric, so that the mask at 0.5 stays."""

_RADIUS = 1.0
"""Radius of the guided filter, in pixels of the frame that the network sees."""

_REGULARISATION = 1e-3
"""Regularisation of the guided filter, for colours in [0, 1]: only variances well above it count as edges."""

_WORKING_PIXELS = 1_000_000
"""The filter's coefficients are smooth, and are computed on a photograph reduced to this size."""

_BAND = (0.02, 0.98)
"""Probabilities between which edges are refined."""


def make_alpha(image: NDArray[np.uint8], probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the opacity of the object, (H, W), in [0, 1], for a photograph and the probability of the object."""
    return ramp(refine_edges(image, probability))


def ramp(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Stretch probabilities so that those below `RAMP` become 0, those above it 1, and 0.5 stays 0.5."""
    low, high = RAMP
    return np.clip((probability - np.float32(low)) / np.float32(high - low), 0, 1)


def refine_edges(image: NDArray[np.uint8], probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move the soft edges of a probability map to the edges of the photograph.

    First by the colours of object and ground beside the edge (`mix_by_colour`), then by a guided filter: in each
    window, what came out is fitted as a linear function of the colour.

    Parameters
    ----------
    image : ndarray, (H, W, 3), uint8
        RGB values of the photograph.
    probability : ndarray, (H, W), float32
        Probability of the object.

    Returns
    -------
    ndarray, (H, W), float32
        In [0, 1]; unchanged where the probability is near 0 or 1 in the whole window.

    Notes
    -----
    K. He, J. Sun, X. Tang, "Guided image filtering", TPAMI 2013; coefficients at reduced size as in K. He, J. Sun,
    "Fast guided filter", arXiv:1505.00996.
    """
    height, width = probability.shape
    scale = min(1.0, math.sqrt(_WORKING_PIXELS / (height * width)))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    radius = tuple(max(1, round(_RADIUS * side / FRAME)) for side in size)
    band = (probability > _BAND[0]) & (probability < _BAND[1])
    band = cv2.dilate(band.astype(np.uint8), np.ones((3, 3), np.uint8)) != 0
    if not band.any():
        return probability
    guide = _resize(image, size).astype(np.float32) / np.float32(255)
    mixed = mix_by_colour(image, guide, probability, band)
    needed = cv2.dilate(_resize(band.astype(np.float32), size), np.ones((2 * radius[1] + 3, 2 * radius[0] + 3))) > 0
    coefficients = np.dstack(_fit(guide, _resize(mixed, size), radius, needed))
    refined = probability.copy()
    for rows, inside, values in at_band(coefficients, band):
        colours = image[rows][inside].astype(np.float32) / np.float32(255)
        refined[rows][inside] = np.clip((values[:, :3] * colours).sum(axis=1) + values[:, 3], 0, 1)
    return refined


def _fit(
    guide: NDArray[np.float32], value: NDArray[np.float32], radius: tuple[int, ...], needed: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit ``value = slope . guide + offset`` in the window about each needed pixel; average over windows."""

    def mean(values: NDArray[np.float32]) -> NDArray[Any]:
        window = (2 * radius[0] + 1, 2 * radius[1] + 1)
        return np.asarray(cv2.blur(values, window, borderType=cv2.BORDER_REFLECT))

    average, level = mean(guide), mean(value)
    covariance = mean(guide * value[..., None]) - average * level[..., None]
    spread = np.empty((*value.shape, 3, 3), dtype=np.float32)
    for i in range(3):
        for j in range(i, 3):
            spread[..., i, j] = mean(guide[..., i] * guide[..., j]) - average[..., i] * average[..., j]
            spread[..., j, i] = spread[..., i, j]
        spread[..., i, i] += _REGULARISATION
    slope = np.zeros_like(average)
    slope[needed] = np.linalg.solve(spread[needed], covariance[needed][..., None])[..., 0]
    return mean(slope), mean(level - (slope * average).sum(axis=-1))


def _resize(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    same = image.shape[1::-1] == size
    return image if same else np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
