"""Segments of an image that may be objects: many minimum cuts of its superpixels, from many seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from jointtask_saliency_baselines.graph_cut import cut_graph
from jointtask_saliency_baselines.merge_tree import merge_tree
from jointtask_saliency_baselines.superpixel_graph import SuperpixelGraph

__all__ = ["Proposer", "Segments", "distinct", "overlaps", "parametric_segments", "region_segments"]

Segments = NDArray[np.bool_]
"""(S, N): which of N superpixels each of S segments has."""

Proposer = Callable[[SuperpixelGraph], Segments]

_GRID = 5
"""Seeds in a row and in a column."""

_UNIFORM = (0.001, 0.003, 0.01, 0.03, 0.1)
_TINTED = (-0.04, -0.02, 0.0, 0.02, 0.04)
_GAIN = 0.05
"""What colour says of a pixel at most, in units of a link of full weight between two pixels."""

_LEAST_SHARE, _MOST_SHARE = 150 / (400 * 300), 0.9
_SAME = 0.95

_REGIONS = 60
_REGION_SHARE = (0.005, 0.4)
_SAME_REGION = 0.7
_REGION_OFFSETS = (-0.04, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03)

_CERTAIN = 1e9
"""Capacity of a seed."""


def parametric_segments(graph: SuperpixelGraph) -> Segments:
    """Return segments by constrained parametric min-cuts (after Carreira and Sminchisescu, CVPR 2010).

    The superpixel at one of 5 x 5 places is object, and all of the image's border, two sides of it, or all but the
    bottom is background. Every pixel prefers the object by an offset, alone or added to what its colour says. Each of
    25 seeds, 4 backgrounds and 10 offsets gives a cut.

    Parameters
    ----------
    graph : SuperpixelGraph
        The graph of N superpixels.

    Returns
    -------
    ndarray, (S, N), bool
        Segments of between 150 pixels (of 400 x 300) and 0.9 of the image, no two of an overlap above 0.95. There may
        be none.
    """
    return distinct(_parametric_cuts(graph), graph)


def region_segments(graph: SuperpixelGraph) -> Segments:
    """Return segments that grow from regions (after Endres and Hoiem, TPAMI 2014).

    A region is object. Every other pixel prefers the object by its affinity, which is how much it has the region's
    colour, and one of 8 offsets; nothing is certain to be background. The regions are up to 60 of a colour hierarchy,
    between 0.005 and 0.4 of the image and of mutual overlaps up to 0.7, the largest first.

    Parameters and result are those of `parametric_segments`.
    """
    return distinct(_region_cuts(graph), graph)


def overlaps(segments: Segments, sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the intersection over union of each segment with each, in pixels: (S, S)."""
    member = segments.astype(np.float64)
    common = (member * sizes) @ member.T
    area = np.diagonal(common)
    return np.asarray(common / np.maximum(area[:, None] + area[None] - common, 1))


def distinct(cuts: Iterable[NDArray[np.bool_]], graph: SuperpixelGraph) -> Segments:
    """Keep the segments, (N,) each, of a usable size that overlap no earlier one by more than 0.95: (S, N)."""
    once = {cut.tobytes(): cut for cut in cuts}
    segments = np.array(list(once.values()), np.bool_).reshape(-1, len(graph.sizes))
    share = segments @ graph.sizes / graph.sizes.sum()
    return _apart(segments[(share >= _LEAST_SHARE) & (share <= _MOST_SHARE)], graph.sizes, _SAME)


def _apart(segments: Segments, sizes: NDArray[np.int64], most: float) -> Segments:
    """Keep the segments that overlap no earlier one by more than this."""
    same = overlaps(segments, sizes) > most
    kept: list[int] = []
    for index in range(len(segments)):
        if not same[index, kept].any():
            kept.append(index)
    return segments[kept]


def _parametric_cuts(graph: SuperpixelGraph) -> Iterator[NDArray[np.bool_]]:
    labels, count = graph.labels, len(graph.sizes)
    rows, columns = (((np.arange(_GRID) + 0.5) / _GRID * side).astype(int) for side in labels.shape)
    sides = [labels[:, 0], labels[:, -1], labels[0], labels[-1]]  # left, right, top, bottom
    backgrounds = [
        np.isin(np.arange(count), np.concatenate([sides[side] for side in chosen]))
        for chosen in ((0, 1, 2, 3), (0, 1), (2, 3), (0, 1, 2))
    ]
    for superpixel in np.unique(labels[np.ix_(rows, columns)]):
        seed = np.arange(count) == superpixel
        preferences = [np.full(count, offset) for offset in _UNIFORM]
        preferences += [_likeness(graph, seed) + offset for offset in _TINTED]
        for background in backgrounds:
            for preference in preferences:
                yield _cut(graph, seed, background, preference)


def _region_cuts(graph: SuperpixelGraph) -> Iterator[NDArray[np.bool_]]:
    regions = merge_tree(graph.colours, graph.sizes, graph.edges)
    share = regions @ graph.sizes / graph.sizes.sum()
    order = np.argsort(-share, kind="stable")
    usable = order[(share[order] >= _REGION_SHARE[0]) & (share[order] <= _REGION_SHARE[1])]
    for region in _apart(regions[usable], graph.sizes, _SAME_REGION)[:_REGIONS]:
        likeness = _likeness(graph, region)
        for offset in _REGION_OFFSETS:
            yield _cut(graph, region, np.zeros_like(region), likeness + offset)


def _likeness(graph: SuperpixelGraph, seed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how much each superpixel has the seed's mean colour: 1 if just so, 0 at the mean distance, times gain."""
    colour = np.average(graph.colours[seed], axis=0, weights=graph.sizes[seed])
    distance = np.linalg.norm(graph.colours - colour, axis=1)
    mean = np.average(distance, weights=graph.sizes)
    return np.asarray(_GAIN * np.clip(1 - distance / (mean or 1.0), -1, 1))


def _cut(
    graph: SuperpixelGraph,
    seed: NDArray[np.bool_],
    background: NDArray[np.bool_],
    preference: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Cut the object out, given what each pixel of a superpixel gains by being part of it."""
    gain = np.where(background, -_CERTAIN, graph.sizes * preference)
    return cut_graph(np.where(seed, _CERTAIN, gain), np.zeros(len(gain)), graph.edges, graph.weights)
