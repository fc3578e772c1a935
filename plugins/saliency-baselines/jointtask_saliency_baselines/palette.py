"""The few colours of an image that HC, RC and GC reason about, and saliency smoothed between similar colours."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from jointtask_saliency_baselines.maps import Floats, Image, Labels, label_colours, min_max, to_lab

__all__ = ["Palette", "quantise", "smooth"]

_BINS = 12
"""Per channel."""

_BIN_OF = np.floor(np.arange(256) / 255 * (_BINS - 1e-4)).astype(np.int32)
"""Of each 8-bit value."""

_RARE = 0.05
"""Share of the pixels whose colours are dropped, the rarest first."""

_FEWEST, _MOST = 10, 256
"""Colours kept, if the image has as many."""


@frozen(eq=False)
class Palette:
    """The K frequent colours of an image, the most frequent bin first.

    Attributes
    ----------
    labels : ndarray, (H, W), int32
        The colour of each pixel, 0 to K - 1.
    counts : ndarray, (K,), float64
        Pixels of each colour, at least 1.
    rgb : ndarray, (K, 3), float64
        Mean RGB colour of each, in [0, 1].
    lab : ndarray, (K, 3), float64
        Mean CIELAB colour of each: L in [0, 100], a and b within about 127 of 0.
    distances : ndarray, (K, K), float64
        Distances between the colours, Euclidean in CIELAB.
    """

    labels: Labels
    counts: NDArray[np.float64]
    rgb: NDArray[np.float64]
    lab: NDArray[np.float64]
    distances: NDArray[np.float64]


def quantise(image: Image) -> Palette:
    """Reduce an image to its frequent colours (Cheng et al., TPAMI 2015).

    Colours are counted in 12 bins a channel. The rarest are dropped as long as fewer than 5 % of the pixels carry
    them; at most 256 are kept, and at least 10 if there are as many. A dropped colour becomes the nearest kept one,
    by the numbers of the bins; of several, the most frequent.

    Parameters
    ----------
    image : ndarray, (H, W, 3), uint8 RGB

    Returns
    -------
    Palette
    """
    bins = _BIN_OF[image]
    codes = (bins[..., 2] * _BINS + bins[..., 1]) * _BINS + bins[..., 0]
    frequency = np.bincount(codes.ravel(), minlength=_BINS**3)
    present = np.flatnonzero(frequency)
    order = present[np.lexsort((present, frequency[present]))[::-1]]
    tail = np.cumsum(frequency[order][::-1])[::-1]
    kept = min(int(np.count_nonzero(tail >= round(_RARE * codes.size))), _MOST)
    kept = max(kept, min(_FEWEST, len(order)))
    triples = np.stack(np.unravel_index(order, (_BINS,) * 3), axis=1).astype(np.float64)
    colour_of = np.zeros(_BINS**3, np.int32)
    colour_of[order] = np.argmin(cdist(triples, triples[:kept], "sqeuclidean"), axis=1)
    labels = colour_of[codes]
    rgb = label_colours(labels, image / 255, kept)
    lab = to_lab(rgb)
    counts = np.bincount(labels.ravel(), minlength=kept).astype(np.float64)
    return Palette(labels, counts, rgb, lab, cdist(lab, lab))


def smooth(saliency: Floats, distances: Floats, share: float, weights: Floats) -> NDArray[np.float64]:
    """Replace the saliency of each colour by a mean over the colours nearest to it (Cheng et al., CVPR 2011).

    ``S'_i = sum_j w_j (T_i - D_ij) S_j / (T_i sum_j w_j)`` over the nearest colours j, i among them, with T_i the sum
    of their distances D_ij; then stretched to [0, 1].

    Parameters
    ----------
    saliency : ndarray, (K,), float
    distances : ndarray, (K, K), float
        Distances between the colours.
    share : float
        Share of the K colours that count as the nearest, in [0, 1]; two at least.
    weights : ndarray, (K,), float
        Weights of the colours, positive.

    Returns
    -------
    ndarray, (K,), float64 in [0, 1]
    """
    nearest = np.argsort(distances, axis=1, kind="stable")[:, : max(round(len(saliency) * share), 2)]
    distance = np.take_along_axis(distances, nearest, axis=1)
    total = distance.sum(axis=1, keepdims=True)
    closeness = 1 - distance / np.where(total > 0, total, 1)
    weight = weights[nearest]
    return min_max((weight * closeness * saliency[nearest]).sum(axis=1) / weight.sum(axis=1))
