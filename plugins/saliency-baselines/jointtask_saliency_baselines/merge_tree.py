"""Regions of an image merged two by two, the most alike first: its parts at every scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["adjacent_pairs", "merge_tree"]


def adjacent_pairs(labels: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of different labels that meet between two 4-connected pixels of an image.

    Parameters
    ----------
    labels : ndarray, (H, W), int
        0 to R - 1.

    Returns
    -------
    edges : ndarray, (E, 2), int64
        Each pair once, the smaller label first, in order.
    border : ndarray, (M, 3), int64
        Each place where two labels meet: its row in `edges`, and the flat positions of its two pixels.
    """
    position = np.arange(labels.size).reshape(labels.shape)
    steps = ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]))
    places = np.concatenate([np.stack([position[a].ravel(), position[b].ravel()], axis=1) for a, b in steps])
    pairs = labels.ravel()[places].astype(np.int64)
    apart = pairs[:, 0] != pairs[:, 1]
    pairs, places = np.sort(pairs[apart], axis=1), places[apart]
    count = int(labels.max()) + 1
    codes, row = np.unique(pairs @ [count, 1], return_inverse=True)
    return np.stack([codes // count, codes % count], axis=1), np.column_stack([row, places])


def merge_tree(
    features: NDArray[np.floating[Any]], sizes: NDArray[np.integer[Any]], edges: NDArray[np.integer[Any]]
) -> NDArray[np.bool_]:
    """Merge neighbouring regions, those first whose union adds least to the squared error (Ward, JASA 1963).

    Parameters
    ----------
    features : ndarray, (R, F), float
        Mean of each region's pixels, such as their colour.
    sizes : ndarray, (R,), int
        Pixels of each region.
    edges : ndarray, (E, 2), int
        Pairs of neighbours, from `adjacent_pairs`.

    Returns
    -------
    ndarray, (2 R - 1, R), bool
        The members of each region: the R given ones, then those made by merging, in the order in which they were made.
        If the neighbours do not connect all regions, there are as many fewer as there are parts apart.
    """
    count = len(features)
    mean, size = np.array(features, np.float64), np.array(sizes, np.float64)
    near = np.zeros((count, count), np.bool_)
    near[edges[:, 0], edges[:, 1]] = near[edges[:, 1], edges[:, 0]] = True
    member = np.eye(count, dtype=np.bool_)

    def costs(of: int) -> NDArray[np.float64]:
        error = ((mean - mean[of]) ** 2).sum(axis=1) * size * size[of] / (size + size[of])
        return np.asarray(np.where(near[of], error, np.inf))

    cost = np.stack([costs(region) for region in range(count)])
    members = [member.copy()]
    for _ in range(count - 1):
        kept, gone = divmod(int(cost.argmin()), count)
        if not np.isfinite(cost[kept, gone]):
            break
        total = size[kept] + size[gone]
        mean[kept] = (size[kept] * mean[kept] + size[gone] * mean[gone]) / total
        size[kept] = total
        member[kept] |= member[gone]
        near[kept] |= near[gone]
        near[kept, [kept, gone]] = near[gone] = near[:, gone] = False
        near[:, kept] = near[kept]
        cost[gone] = cost[:, gone] = np.inf
        cost[kept] = cost[:, kept] = costs(kept)
        members.append(member[kept : kept + 1].copy())
    return np.concatenate(members)
