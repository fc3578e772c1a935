"""The cuts that SaliencyCut repeats: the published one, by mixtures and max-flow, and a faster one by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask_saliency_baselines.graph_cut import contrast_weights, cut_grid
from jointtask_saliency_baselines.maps import Floats
from jointtask_saliency_baselines.mixture import fit, refit

__all__ = ["BACKGROUND", "FOREGROUND", "UNKNOWN", "ColourCut", "grab_cut"]

BACKGROUND, UNKNOWN, FOREGROUND = 0, 128, 255
"""Values of a trimap."""

_COMPONENTS = 5
_GAMMA = 50.0
_ITERATIONS, _OPENCV_ITERATIONS = 8, 5
_SETTLED = 50
"""Changed pixels at which the iterations end."""

_LEAST_WEIGHT = 50
"""Pixels that a colour model must rest on."""

Mask = NDArray[np.bool_]


@frozen(eq=False)
class ColourCut:
    """Cuts of one image between object and background.

    Attributes
    ----------
    colours : ndarray, (C, 3), float64
        The different colours of the image, in [0, 1]: a mixture fitted to them, each with the sum of its pixels'
        weights, is the mixture of the pixels.
    index : ndarray, (H, W), int
        The colour of each pixel.
    links : ndarray, (4, H, W), float64
        Weights between neighbours, by their difference in Lab.
    """

    colours: NDArray[np.float64]
    index: NDArray[np.intp]
    links: NDArray[np.float64]

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> ColourCut:
        """Prepare the cuts of an image (H, W, 3), uint8, RGB."""
        code = image.astype(np.uint32) @ np.array([1, 1 << 8, 1 << 16], np.uint32)
        codes, index = np.unique(code, return_inverse=True)
        colours = (codes[:, None] >> np.array([0, 8, 16], np.uint32) & 255) / 255
        lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
        return cls(colours, index.reshape(code.shape), contrast_weights(lab.astype(np.float64), _GAMMA))

    def __call__(self, trimap: NDArray[np.uint8], belief: Floats) -> Mask:
        """Cut between what a trimap is certain of.

        Parameters
        ----------
        trimap : ndarray, (H, W), uint8
            255 is object, 0 background, 128 unknown.
        belief : ndarray, (H, W), float
            Probability of each pixel to be part of the object, in [0, 1].

        Returns
        -------
        ndarray, (H, W), bool
            The object.
        """
        foreground, background = trimap == FOREGROUND, trimap == BACKGROUND
        mask = belief > 0.5
        inside, outside = self._weigh(belief), self._weigh(1 - belief)
        if min(inside.sum(), outside.sum()) < _LEAST_WEIGHT:
            return mask
        model = fit(self.colours, inside, _COMPONENTS)
        for _ in range(_ITERATIONS):
            nearest = model.log_densities(self.colours).argmax(axis=1)
            model = refit(self.colours, inside, nearest, _COMPONENTS)
            other = fit(self.colours, outside, _COMPONENTS)
            evidence = (model.log_density(self.colours) - other.log_density(self.colours))[self.index]
            before = belief
            mask = cut_grid(evidence, np.zeros_like(evidence), self.links, foreground, background)
            belief = mask.astype(np.float64)
            if np.count_nonzero(belief != before) <= _SETTLED:
                break
            inside, outside = self._weigh(belief), self._weigh(1 - belief)
            if min(inside.sum(), outside.sum()) < _LEAST_WEIGHT:
                break
        return mask

    def _weigh(self, weights: Floats) -> NDArray[np.float64]:
        """Sum the weights of the pixels of each colour."""
        return np.bincount(self.index.ravel(), weights.ravel(), len(self.colours)).astype(np.float64, copy=False)


def grab_cut(image: NDArray[np.uint8], trimap: NDArray[np.uint8], belief: Floats) -> Mask:
    """Cut by `cv2.grabCut`, what is unknown taken for object at first: five iterations, or until few pixels change."""
    if trimap.all() or not trimap.any():
        return trimap > BACKGROUND  # its colour models need pixels of both kinds
    state = np.full(trimap.shape, cv2.GC_PR_FGD, np.uint8)
    state[trimap == BACKGROUND] = cv2.GC_BGD
    state[trimap == FOREGROUND] = cv2.GC_FGD
    background, foreground = np.zeros((2, 1, 65))
    mode = cv2.GC_INIT_WITH_MASK
    cv2.setRNGSeed(0)
    for _ in range(_OPENCV_ITERATIONS):
        before = state.copy()
        cv2.grabCut(image, state, (0, 0, 0, 0), background, foreground, 1, mode)
        mode = cv2.GC_EVAL
        if np.count_nonzero(state != before) <= _SETTLED:
            break
    return np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD))
