"""Minimum cuts of undirected graphs, and of images whose pixels are linked to their eight neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from jointtask_saliency_baselines.maps import Floats

__all__ = ["STEPS", "contrast_weights", "cut_graph", "cut_grid"]

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Rows and columns from a pixel to the neighbours that its links lead to, so that each pair is linked once."""

_SCALE = 1000.0
"""Capacities are rounded to thousandths: the solver's are integers."""

_LARGEST = 2.0**30
"""Of the scaled capacities: the solver adds two of them in 32 bits."""


def cut_graph(source: Floats, sink: Floats, edges: NDArray[np.integer[Any]], weights: Floats) -> NDArray[np.bool_]:
    """Return the source side of a minimum cut of an undirected graph between two terminals.

    The cut costs `sink` of every node on the source side, `source` of every other node, and the weight of every edge
    between the two. Only the difference of a node's two capacities matters, so they may be negative.

    The solver's capacities are integers: they are rounded to thousandths (more coarsely where the weights of a node's
    edges exceed 2^30 of them, about a million), so the cost of the cut exceeds the minimum by a thousandth for each
    node and edge at most.

    Parameters
    ----------
    source, sink : ndarray, (N,), float
        Capacities of the links from the source and to the sink, finite.
    edges : ndarray, (E, 2), int
        Two different nodes each; the weights of an edge given twice add up.
    weights : ndarray, (E,), float
        Weights of the edges, at least 0.

    Returns
    -------
    ndarray, (N,), bool
        True on the source side: of all minimum cuts, the one with the fewest nodes there.
    """
    count = len(source)
    excess = np.asarray(source, np.float64) - sink
    enough = 2 * np.bincount(edges.ravel(), np.repeat(weights, 2), count) + 1  # to be on one side, come what may
    excess = np.clip(excess, -enough, enough)
    rich, poor = np.flatnonzero(excess > 0), np.flatnonzero(excess < 0)
    start = np.concatenate([edges[:, 0], np.full(len(rich), count), poor])
    end = np.concatenate([edges[:, 1], rich, np.full(len(poor), count + 1)])
    forth = np.concatenate([weights, excess[rich], -excess[poor]])
    back = np.concatenate([weights, np.zeros(len(rich) + len(poor))])
    ends = np.concatenate([start, end]), np.concatenate([end, start])
    capacity = coo_array((np.concatenate([forth, back]), ends), shape=(count + 2, count + 2)).tocsr()
    scale = min(_SCALE, _LARGEST / capacity.data.max(initial=1))
    capacity.data = np.rint(capacity.data * scale).astype(np.int32)
    residual = capacity - maximum_flow(capacity, count, count + 1).flow
    reached = breadth_first_order(residual, count, return_predecessors=False)
    side = np.zeros(count + 2, np.bool_)
    side[reached] = True
    return side[:count]


def cut_grid(
    source: Floats,
    sink: Floats,
    links: Floats,
    foreground: NDArray[np.bool_] | None = None,
    background: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Return the source side of a minimum cut of an image, as `cut_graph` does.

    A pixel whose side is known is no node: what a link to it would cost is added to a terminal capacity of the
    neighbour, which leaves the cost of every cut as it was.

    Parameters
    ----------
    source, sink : ndarray, (H, W), float
        Capacities of the links to the terminals, finite.
    links : ndarray, (4, H, W), float
        Weight, at least 0, of the link from a pixel to its neighbour at each of `STEPS`; ignored where that lies
        outside the image. See `contrast_weights`.
    foreground, background : ndarray, (H, W), bool, optional
        Pixels that are on the source's side, and on the sink's, whatever it costs; none in both.

    Returns
    -------
    ndarray, (H, W), bool
        True on the source side.
    """
    nowhere = np.zeros(source.shape, np.bool_)
    foreground = nowhere if foreground is None else foreground
    background = nowhere if background is None else background
    free = ~(foreground | background)
    excess = np.asarray(source, np.float64) - sink
    certain = foreground.astype(np.int8) - background.astype(np.int8)
    node = np.cumsum(free, dtype=np.int32).reshape(free.shape) - 1
    edges, weights = [], []
    for step, link in zip(STEPS, links, strict=True):
        here, there = _neighbours(step)
        excess[here] += link[here] * certain[there]
        excess[there] += link[here] * certain[here]
        both = free[here] & free[there]
        edges.append(np.stack([node[here][both], node[there][both]], axis=1))
        weights.append(link[here][both])
    side = foreground.copy()
    side[free] = cut_graph(
        excess[free], np.zeros(np.count_nonzero(free)), np.concatenate(edges), np.concatenate(weights)
    )
    return side


def contrast_weights(image: Floats, gamma: float, *, by_distance: bool = False) -> NDArray[np.float64]:
    """Return the weights of the links between neighbouring pixels: weak where the colour changes.

    ``gamma / |step| * exp(-beta * |difference of colour|^2)``, ``beta = 0.5 / mean(|difference of colour|^2)`` over
    all pairs of neighbours (Rother et al., GrabCut, SIGGRAPH 2004).

    Parameters
    ----------
    image : ndarray, (H, W, C), float
        Image in a colour space whose distances mean something, such as Lab.
    gamma : float
        Weight of a link between two neighbours of one colour in a row or column.
    by_distance : bool
        Divide each squared difference by ``|step|`` where beta's mean is taken, as Kuettel and Ferrari do (CVPR 2012).

    Returns
    -------
    ndarray, (4, H, W), float64
        In the order of `STEPS`; 0 where the neighbour lies outside the image.
    """
    weights = np.zeros((len(STEPS), *image.shape[:2]))
    contrasts = []
    for step in STEPS:
        here, there = _neighbours(step)
        difference = image[here] - image[there]
        contrasts.append(np.einsum("hwc,hwc->hw", difference, difference))
    pairs = sum(contrast.size for contrast in contrasts)
    total = sum(
        float(contrast.sum(dtype=np.float64)) / (np.hypot(*step) if by_distance else 1.0)
        for step, contrast in zip(STEPS, contrasts, strict=True)
    )
    beta = 0.5 * pairs / total if total else 0.0
    for step, weight, contrast in zip(STEPS, weights, contrasts, strict=True):
        weight[_neighbours(step)[0]] = gamma / np.hypot(*step) * np.exp(-beta * contrast)
    return weights


def _neighbours(step: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the pixels that have a neighbour at a step to the right, left or below, and those neighbours."""
    down, right = step
    rows = slice(None, -down or None), slice(down, None)
    columns = slice(max(-right, 0), -right if right > 0 else None), slice(max(right, 0), right if right < 0 else None)
    return (rows[0], columns[0]), (rows[1], columns[1])
