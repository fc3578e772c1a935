"""HS: saliency of regions at three scales, made consistent over a tree (Yan et al., CVPR 2013)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from jointtask_saliency_baselines.layers import region_layers
from jointtask_saliency_baselines.maps import (
    Floats,
    Image,
    Labels,
    Map,
    label_colours,
    label_means,
    min_max,
    pixel_centres,
    saliency_map,
    to_lab,
)

__all__ = ["hierarchical_saliency", "local_contrast", "location", "solve_tree"]

_SCALES = (5, 17, 33)
"""Least scale of the regions of each layer, in pixels of an image of about 400 x 300."""

_TRUST = (0.5, 4.0, 2.0)
"""beta: how much the cues of each layer count."""

_CONSISTENCY = 4.0
"""lambda: how much a region should agree with the one that it is part of."""

_REACH = 0.2**2
"""sigma^2 of the local contrast, in longer image sides."""

_PAIRS = 1 << 22
"""Pairs of regions looked at together, to bound the memory."""


@saliency_map
def hierarchical_saliency(image: Image) -> Map:
    """Return the hierarchical saliency (HS) of an image: regions that differ from their surroundings and lie central.

    Each region of three layers has a cue, its local contrast times its location, both stretched to [0, 1]. The
    saliency minimises the squared differences to the cues and between regions and those that they are part of;
    that of the first layer is returned (Yan et al., CVPR 2013).

    It is 0 everywhere if the image has one colour.
    """
    layers = region_layers(image, _SCALES)
    lab = to_lab(image / 255)
    cues = [min_max(local_contrast(labels, lab)) * min_max(location(labels)) for labels in layers]
    parents = []
    for fine, coarse in itertools.pairwise(layers):
        _, pixel = np.unique(fine, return_index=True)
        parents.append(coarse.ravel()[pixel])
    saliency = solve_tree(cues, parents, _TRUST, _CONSISTENCY)
    return min_max(saliency)[layers[0]].astype(np.float32)


def local_contrast(labels: Labels, lab: Floats) -> NDArray[np.float64]:
    """Return the contrast of each region to all others, the near ones above all.

    ``C_i = sum_j n_j exp(-|c_i - c_j|^2 / 0.04) |Lab_i - Lab_j|``: n_j pixels, c centroids in the longer image side.

    Parameters
    ----------
    labels : ndarray, (H, W), int
        R regions, numbered from 0.
    lab : ndarray, (H, W, 3), float
        The image in CIELAB.

    Returns
    -------
    ndarray, (R,), float64, at least 0
    """
    pixels = np.bincount(labels.ravel()).astype(np.float64)
    count = len(pixels)
    colour = label_colours(labels, lab, count)
    centres = np.stack([label_means(labels, side, count) for side in pixel_centres(*labels.shape)], axis=1)
    centres /= max(labels.shape)
    contrast = []
    for part in np.array_split(np.arange(count), -(-(count**2) // _PAIRS)):
        near = np.exp(-cdist(centres[part], centres, "sqeuclidean") / _REACH)
        contrast.append((near * cdist(colour[part], colour)) @ pixels)
    return np.concatenate(contrast)


def location(labels: Labels) -> NDArray[np.float64]:
    """Return how central each region is: (R,), float64 in (0, 1].

    The mean of ``exp(-9 d^2)`` over its pixels, d the distance to the centre in image sides.

    Parameters
    ----------
    labels : ndarray, (H, W), int
        R regions, numbered from 0.
    """
    x, y = (centres / centres.size for centres in pixel_centres(*labels.shape))
    return label_means(labels, np.exp(-9 * (x**2 + y**2)), int(labels.max()) + 1)


def solve_tree(
    cues: Sequence[Floats], parents: Sequence[NDArray[np.integer[Any]]], trust: Sequence[float], consistency: float
) -> NDArray[np.float64]:
    """Return the saliency of the first layer's regions that minimises the energy of all layers.

    ``sum_l trust_l sum_i (s_i - cue_i)^2 + consistency sum_i (s_i - s_parent(i))^2``, by eliminating one layer after
    the other, which is exact: the regions are a forest.

    Parameters
    ----------
    cues : sequence of ndarray, (R_l,), float
        The cues of the regions of each layer, the finest layer first.
    parents : sequence of ndarray, (R_l,), int
        Region of the next layer that each region is part of, for each layer but the last.
    trust : sequence of float
        Weight of the cues of each layer, positive.
    consistency : float
        Weight of the agreement with the next layer, at least 0.

    Returns
    -------
    ndarray, (R_0,), float64
        Between the least and the largest cue.
    """
    # Each region asks for `wish / weight`, with that weight, on behalf of itself and of what lies below it.
    weights = [np.full(len(cue), float(beta)) for cue, beta in zip(cues, trust, strict=True)]
    wishes = [weight * cue for weight, cue in zip(weights, cues, strict=True)]
    for layer, parent in enumerate(parents):
        passed = consistency / (weights[layer] + consistency)
        weights[layer + 1] += np.bincount(parent, passed * weights[layer], len(weights[layer + 1]))
        wishes[layer + 1] += np.bincount(parent, passed * wishes[layer], len(wishes[layer + 1]))
    saliency: NDArray[np.float64] = wishes[-1] / weights[-1]
    for layer, parent in reversed(list(enumerate(parents))):
        saliency = (wishes[layer] + consistency * saliency[parent]) / (weights[layer] + consistency)
    return saliency
