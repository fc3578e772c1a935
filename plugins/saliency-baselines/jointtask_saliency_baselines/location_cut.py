"""GrabCut with a prior of location: the last step of Kuettel and Ferrari (CVPR 2012)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from jointtask_saliency_baselines.graph_cut import contrast_weights, cut_grid
from jointtask_saliency_baselines.mixture import fit, refit
from jointtask_saliency_baselines.working_size import shrink

__all__ = ["location_cut"]

_COMPONENTS = 5
_GAMMA = 50.0
_ITERATIONS = 3
_LEAST = 1e-3
"""Distance that the prior keeps from 0 and 1."""

Floats = NDArray[np.floating[Any]]


def location_cut(image: NDArray[np.uint8], prior: Floats, level: float = 0.2) -> NDArray[np.float32]:
    """Cut the object out of an image, whose colours are unknown but whose place is roughly known.

    Pixels of colour z and prior m cost ``-log(m p(z | object))`` as object and ``-log((1 - m) p(z | background))`` as
    background; colour mixtures and cut alternate, three times at most. An image of more than 400 pixels a side is cut
    at that size.

    Parameters
    ----------
    image : ndarray, (H, W, 3), uint8
        The image, RGB.
    prior : ndarray, (h, w), float
        Probability of the object, in [0, 1], of any size: it is stretched over the image.
    level : float
        Prior at which a pixel begins as object; 0.2 is that of the authors' demonstration.

    Returns
    -------
    ndarray, (H, W), float32
        The object where it is at least 0.5; between 0 and 1 only where an image was enlarged again. All 0 if no
        pixel begins as object, or all do.
    """
    height, width = image.shape[:2]
    small = shrink(image)
    size = small.shape[1], small.shape[0]
    expected = np.asarray(cv2.resize(prior.astype(np.float64), size, interpolation=cv2.INTER_LINEAR))
    mask = _cut(small / 255.0, np.clip(expected, _LEAST, 1 - _LEAST), level)
    return np.asarray(cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR))


def _cut(image: NDArray[np.float64], prior: NDArray[np.float64], level: float) -> NDArray[np.bool_]:
    mask = prior >= level
    if mask.all() or not mask.any():
        return np.zeros_like(mask)
    links = contrast_weights(image, _GAMMA, by_distance=True)
    colours, odds = image.reshape(-1, 3), np.log(prior / (1 - prior))
    models = [fit(colours, weights, _COMPONENTS) for weights in _sides(mask)]
    for _ in range(_ITERATIONS):
        densities = [model.log_densities(colours) + np.log(model.weights) for model in models]
        evidence = densities[0].max(axis=1) - densities[1].max(axis=1)
        before, mask = mask, cut_grid(evidence.reshape(mask.shape) + odds, np.zeros_like(odds), links)
        if (mask == before).all() or mask.all() or not mask.any():
            break
        models = [
            refit(colours, weights, density.argmax(axis=1), _COMPONENTS)
            for weights, density in zip(_sides(mask), densities, strict=True)
        ]
    return mask


def _sides(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of the pixels, (H W,) each, in the colours of the object and in those of the background."""
    inside = mask.ravel().astype(np.float64)
    return inside, 1 - inside
