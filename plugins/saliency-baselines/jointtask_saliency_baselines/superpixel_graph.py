"""An image as a graph of superpixels, whose links are weak where colour and brightness change."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from skimage.segmentation import slic

from jointtask_saliency_baselines.maps import label_colours, to_lab
from jointtask_saliency_baselines.merge_tree import adjacent_pairs

__all__ = ["SuperpixelGraph", "superpixel_graph"]

_SUPERPIXELS = 400
_COMPACTNESS = 10.0
_BLUR = 1.0
"""Standard deviation, in pixels, before the gradient."""


@frozen(eq=False)
class SuperpixelGraph:
    """The N superpixels of an image and the E pairs of neighbours among them.

    Attributes
    ----------
    labels : ndarray, (H, W), int32
        The superpixel of each pixel, 0 to N - 1.
    sizes : ndarray, (N,), int64
        Pixels of each.
    colours : ndarray, (N, 3), float64
        Mean CIELAB colours.
    edges : ndarray, (E, 2), int64
        Pairs of neighbours, each once.
    lengths : ndarray, (E,), int64
        Pairs of 4-connected pixels between two neighbours.
    contrasts : ndarray, (E,), float64
        Contrast between neighbours: the difference of their mean colours and the gradient along their common border,
        each divided by its mean over the image, and added; 0 is none, 2 the mean.
    weights : ndarray, (E,), float64
        ``length exp(-contrast)``: what it costs to cut an edge.
    """

    labels: NDArray[np.int32]
    sizes: NDArray[np.int64]
    colours: NDArray[np.float64]
    edges: NDArray[np.int64]
    lengths: NDArray[np.int64]
    contrasts: NDArray[np.float64]
    weights: NDArray[np.float64]

    def counts(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return how many pixels of a mask (H, W) are in each superpixel, (N,)."""
        return np.bincount(self.labels[mask], minlength=len(self.sizes))


def superpixel_graph(image: NDArray[np.uint8]) -> SuperpixelGraph:
    """Make the graph of an image (H, W, 3), uint8 RGB: about 400 superpixels (Achanta et al., SLIC, TPAMI 2012)."""
    labels = _superpixels(image)
    lab = to_lab(image / 255)
    sizes = np.bincount(labels.ravel())
    colours = label_colours(labels, lab, len(sizes))
    edges, border = adjacent_pairs(labels)
    lengths = np.bincount(border[:, 0], minlength=len(edges))
    smooth = np.asarray(cv2.GaussianBlur(lab.astype(np.float32), (0, 0), _BLUR)).reshape(-1, 3)
    steps = np.linalg.norm(smooth[border[:, 1]] - smooth[border[:, 2]], axis=1)
    gradient = np.bincount(border[:, 0], steps, len(edges)) / np.maximum(lengths, 1)
    difference = np.linalg.norm(colours[edges[:, 0]] - colours[edges[:, 1]], axis=1)
    contrasts = _relative(difference) + _relative(gradient)
    return SuperpixelGraph(labels, sizes, colours, edges, lengths, contrasts, lengths * np.exp(-contrasts))


def _superpixels(image: NDArray[np.uint8]) -> NDArray[np.int32]:
    raw = slic(image, _SUPERPIXELS, compactness=_COMPACTNESS, start_label=0)
    return np.unique(raw, return_inverse=True)[1].reshape(raw.shape).astype(np.int32)


def _relative(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Divide by the mean; what is 0 everywhere stays so."""
    mean = values.mean() if values.size else 0.0
    return np.asarray(values / mean if mean else values, np.float64)
