"""Which components of GC's mixture mingle in the image, and where the clusters of them lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jointtask_saliency_baselines.maps import Floats, Map, pixel_centres

__all__ = ["exemplars", "moments", "similarity"]


def similarity(layers: Map, weights: Floats) -> NDArray[np.float64]:
    """Return how much the components mingle in the image.

    Every pixel adds its second largest probability to the pair of its two likeliest components. With C the sums, in
    both orders, the similarity is ``log(1 + C_ij / (7e-4 H W min(w_i, w_j) + 1e-4)) - 1``, and that of a component to
    itself four times the mean of this matrix with a diagonal of 0.

    Parameters
    ----------
    layers : ndarray, (H, W, K), float32
        Probability of each component at each pixel.
    weights : ndarray, (K,), float
        Weights of the components.

    Returns
    -------
    ndarray, (K, K), float64
    """
    count = len(weights)
    probability = layers.reshape(-1, count).copy()
    pixel = np.arange(len(probability))
    first = probability.argmax(axis=1)
    probability[pixel, first] = 0
    second = probability.argmax(axis=1)
    mingled = np.bincount(first * count + second, probability[pixel, second], count**2).reshape(count, count)
    mingled += mingled.T
    alike: NDArray[np.float64] = np.log1p(mingled / (7e-4 * len(pixel) * np.minimum.outer(weights, weights) + 1e-4)) - 1
    np.fill_diagonal(alike, 0)
    np.fill_diagonal(alike, 4 * alike.mean())
    return alike


def exemplars(alike: Floats) -> NDArray[np.intp]:
    """Return the exemplar that stands for each of a few items: the clusters that affinity propagation looks for.

    Exemplars stand for themselves and every other item has the exemplar most similar to it, so that the sum of the
    similarities is the largest. Affinity propagation (Frey and Dueck, Science 2007) climbs that sum by messages; of 15
    items all 2^15 sets of exemplars are compared at once.

    Parameters
    ----------
    alike : ndarray, (K, K), float
        Similarity of each item to each exemplar; on the diagonal the preference for the item as an exemplar.

    Returns
    -------
    ndarray, (K,), int
    """
    count = len(alike)
    chosen = np.arange(1 << count)[:, None] >> np.arange(count) & 1 == 1
    total = np.zeros(1 << count)
    for item, row in enumerate(alike):
        nearest = np.array([-np.inf])
        for value in row:  # one more candidate doubles the sets
            nearest = np.concatenate([nearest, np.maximum(nearest, value)])
        total += np.where(chosen[:, item], row[item], nearest)
    best = np.flatnonzero(chosen[total.argmax()])
    stands: NDArray[np.intp] = best[alike[:, best].argmax(axis=1)]
    stands[best] = best
    return stands


def moments(layers: Map, members: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the spatial variance of each component's cluster, and its mean distance to the image's centre.

    Parameters
    ----------
    layers : ndarray, (H, W, K), float32
        Probability of each component at each pixel.
    members : ndarray, (K,), int
        The cluster of each component.

    Returns
    -------
    spread, centrality : ndarray, (K,), float64
        Variance in x and y together, in square pixels; distance in image sides.
    """
    height, width, count = layers.shape
    x, y = pixel_centres(height, width)
    terms = np.broadcast_arrays(np.ones((height, width)), x, y, x**2 + y**2, np.hypot(x / width, y / height))
    sums = np.stack(terms).reshape(len(terms), -1) @ layers.reshape(-1, count).astype(np.float64)
    mass, *means = sums @ (members[:, None] == members)
    mean_x, mean_y, square, distance = np.stack(means) / mass
    return square - mean_x**2 - mean_y**2, distance
