"""What tells an object from other segments: size, place, outline, and how its colours differ from the others'."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from jointtask_saliency_baselines.segments import Segments
from jointtask_saliency_baselines.superpixel_graph import SuperpixelGraph

__all__ = ["FEATURES", "segment_features"]

FEATURES = (
    "area",
    "centre x",
    "centre y",
    "border contact",
    "boundary contrast",
    "inner contrast",
    "compactness",
    "convexity",
    "colour difference",
)
"""Of a segment, in the order of the columns."""

_LEVELS = (4, 8, 8)
"""Bins of L, a and b."""


def segment_features(segments: Segments, graph: SuperpixelGraph) -> NDArray[np.float64]:
    """Describe segments.

    Parameters
    ----------
    segments : ndarray, (S, N), bool
        Segments, none of them empty.
    graph : SuperpixelGraph

    Returns
    -------
    ndarray, (S, 9), float64
        The share of the image; the distance of the centroid from the image's centre in image widths and heights; the
        share of the image's border; the mean contrast of the links that are cut and of those inside; ``4 pi area /
        perimeter^2``, the perimeter in pixel sides; the area's share of its convex hull's; the chi-squared distance,
        in [0, 1], of the colour histograms of segment and rest.
    """
    member = segments.astype(np.float64)
    area = member @ graph.sizes
    height, width = graph.labels.shape
    rows, columns = np.indices(graph.labels.shape)
    flat = graph.labels.ravel()
    x, y = (np.bincount(flat, coordinate.ravel() + 0.5) for coordinate in (columns, rows))
    edge = graph.labels[[0, -1]].ravel(), graph.labels[:, [0, -1]].ravel()
    contact = np.bincount(np.concatenate(edge), minlength=len(graph.sizes))

    one, other = segments[:, graph.edges[:, 0]], segments[:, graph.edges[:, 1]]
    length = graph.lengths.astype(np.float64)
    cut, inside = (one != other) * length, (one & other) * length
    on_border = member @ contact
    perimeter = cut.sum(axis=1) + on_border

    return np.stack(
        [
            area / graph.sizes.sum(),
            np.abs(member @ x / area / width - 0.5),
            np.abs(member @ y / area / height - 0.5),
            on_border / contact.sum(),
            cut @ graph.contrasts / np.maximum(cut.sum(axis=1), 1),
            inside @ graph.contrasts / np.maximum(inside.sum(axis=1), 1),
            4 * np.pi * area / perimeter**2,
            area / _hull_areas(segments, graph.labels),
            _colour_differences(member, graph),
        ],
        axis=1,
    )


def _hull_areas(segments: Segments, labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the areas of the convex hulls of segments, from the corners of their pixels."""
    order = np.argsort(labels, axis=None, kind="stable")
    pixels = np.split(order, np.cumsum(np.bincount(labels.ravel()))[:-1])
    outlines = [_hull(np.stack(np.divmod(part, labels.shape[1])[::-1], axis=1), pixels=True) for part in pixels]
    return np.array(
        [
            cv2.contourArea(_hull(np.concatenate([outlines[part] for part in np.flatnonzero(segment)])))
            for segment in segments
        ]
    )


def _hull(points: NDArray[np.integer[Any]], *, pixels: bool = False) -> NDArray[np.int32]:
    """Return the convex hull of points (M, 2), or of the squares of pixels whose first corners they are."""
    if pixels:
        points = (points[:, None] + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])).reshape(-1, 2)
    return np.asarray(cv2.convexHull(points.astype(np.int32)), np.int32).reshape(-1, 2)


def _colour_differences(member: NDArray[np.float64], graph: SuperpixelGraph) -> NDArray[np.float64]:
    """Return the chi-squared distances between the histograms of the mean colours inside and outside."""
    unit = (graph.colours + np.array([0, 128, 128])) / [100, 256, 256]
    lightness, a, b = np.clip((unit * _LEVELS).astype(np.int64), 0, np.array(_LEVELS) - 1).T
    bins = (lightness * _LEVELS[1] + a) * _LEVELS[2] + b
    histogram = np.zeros((len(bins), int(np.prod(_LEVELS))))
    histogram[np.arange(len(bins)), bins] = graph.sizes
    inside = member @ histogram
    outside = histogram.sum(axis=0) - inside
    inside, outside = (h / np.maximum(h.sum(axis=1, keepdims=True), 1) for h in (inside, outside))
    total = inside + outside
    return np.asarray(((inside - outside) ** 2 / np.where(total > 0, total, 1)).sum(axis=1) / 2)
