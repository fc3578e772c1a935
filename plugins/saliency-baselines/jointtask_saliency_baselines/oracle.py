"""Rankings of segments under the oracle protocol: the ground truth says how many of the first make the mask."""

from __future__ import annotations

import cv2
import numpy as np
from attrs import frozen
from jointtask_object_extraction.photograph import Extraction, Photograph
from numpy.typing import NDArray

from jointtask.api import Context, DataError, NoSettings
from jointtask.tools import cached_arrays
from jointtask_saliency_baselines.ranking import Ridge, diversify, fit_ridge
from jointtask_saliency_baselines.segment_features import FEATURES, segment_features
from jointtask_saliency_baselines.segments import Proposer, Segments, overlaps, parametric_segments, region_segments
from jointtask_saliency_baselines.superpixel_graph import SuperpixelGraph, superpixel_graph
from jointtask_saliency_baselines.training import training_sample
from jointtask_saliency_baselines.working_size import shrink

__all__ = ["Oracle", "best_union", "cpmc_lite_oracle", "objprop_lite_oracle"]

_MOST_IMAGES = 200
_MOST_SEGMENTS = 100
"""Of the best in the ranking: the largest K."""

_ROWS = 200
"""Segments of a training image that are kept, evenly spaced; what is missing to them is not a number."""

_VERSION = "1"


def cpmc_lite_oracle(settings: NoSettings, context: Context) -> Oracle:
    """Build `cpmc-lite-oracle`, a stand-in for CPMC (Carreira and Sminchisescu, CVPR 2010); see `Oracle`."""
    return _learn("cpmc-lite-oracle", parametric_segments, context)


def objprop_lite_oracle(settings: NoSettings, context: Context) -> Oracle:
    """Build `objprop-lite-oracle`, a stand-in for Object Proposals (Endres and Hoiem, TPAMI 2014); see `Oracle`."""
    return _learn("objprop-lite-oracle", region_segments, context)


@frozen(eq=False)
class Oracle:
    """A predictor that is told the best K: an upper bound for its ranking, not a result that anybody could have.

    For K = 1 to 100 the mask is the union of the first K segments. Of these the annotation chooses the one with the
    greatest J. Segments are ranked by the overlap that a ridge regression expects, learnt from 200 training images at
    most, evenly spaced.

    Attributes
    ----------
    name : str
        Name of the predictor, for its errors.
    propose : callable
        Function from an image to its segments.
    expected : Ridge
        Expects a segment's overlap with the object.
    """

    name: str
    propose: Proposer
    expected: Ridge

    def __call__(self, example: Photograph) -> Extraction:
        """Extract the object from an annotated photograph.

        Raises
        ------
        DataError
            If it has no mask.
        """
        if example.mask is None:
            raise DataError(
                f"{self.name} needs the annotation of '{example.id}'",
                cause="it is an oracle: the true mask chooses how many segments make its own",
                remedy="evaluate it on annotated images; to extract objects from others, name another predictor",
            )
        height, width = example.mask.shape
        graph, truth = _scene(example)
        mask = np.zeros(len(graph.sizes), np.bool_)
        segments = self.ranked(graph)
        if len(segments):
            mask = best_union(segments, graph.sizes, truth)
        pixels = mask[graph.labels].astype(np.float32)
        resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        return Extraction(np.asarray(resized, np.float32), None)

    def ranked(self, graph: SuperpixelGraph) -> Segments:
        """Return the first hundred segments of an image, the likeliest object first: (S, N)."""
        segments = self.propose(graph)
        scores = self.expected(segment_features(segments, graph))
        return segments[diversify(scores, overlaps(segments, graph.sizes), _MOST_SEGMENTS)]


def best_union(segments: Segments, sizes: NDArray[np.int64], truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the union of the first K segments that has the greatest J, over all K.

    Parameters
    ----------
    segments : ndarray, (S, N), bool
        The segments in the order of their scores, at least one.
    sizes : ndarray, (N,), int64
        Number of pixels of each superpixel.
    truth : ndarray, (N,), int64
        Number of those pixels that are on the object.

    Returns
    -------
    ndarray, (N,), bool
        True on the superpixels of that union; of the smallest K where several are best.
    """
    unions: NDArray[np.bool_] = np.logical_or.accumulate(segments, axis=0)
    best: NDArray[np.bool_] = unions[_jaccard(unions, sizes, truth).argmax()]
    return best


def _jaccard(segments: Segments, sizes: NDArray[np.int64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    common = segments @ truth
    return np.asarray(common / np.maximum(segments @ sizes + truth.sum() - common, 1))


def _scene(example: Photograph) -> tuple[SuperpixelGraph, NDArray[np.int64]]:
    """Return the graph of an annotated photograph, and the object's pixels in each superpixel."""
    assert example.mask is not None
    graph = superpixel_graph(shrink(example.image))
    height, width = graph.labels.shape
    small = cv2.resize(example.mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return graph, graph.counts(np.asarray(small) >= 0.5)


def _learn(name: str, propose: Proposer, context: Context) -> Oracle:
    """Learn the ranking of segments; the training images' are kept in the cache."""
    train, rows = training_sample(context, name, _MOST_IMAGES)

    def make(row: int) -> dict[str, NDArray[np.float32]]:
        graph, truth = _scene(train.example(int(rows[row])))
        segments = propose(graph)
        if len(segments) > _ROWS:
            segments = segments[np.linspace(0, len(segments) - 1, _ROWS).astype(int)]
        table = np.full((_ROWS, len(FEATURES) + 1), np.nan, np.float32)
        table[: len(segments), :-1] = segment_features(segments, graph)
        table[: len(segments), -1] = _jaccard(segments, graph.sizes, truth)
        return {"table": table}

    tables = cached_arrays(
        context.cache / name,
        [f"{train.digests[row]} {_VERSION}" for row in rows],
        make,
        workers=context.workers,
        progress=context.progress,
        label=f"{name}: segments",
    )
    table = np.concatenate(tables.batch(range(len(rows)))["table"]).astype(np.float64)
    table = table[~np.isnan(table[:, -1])]
    if not len(table):
        raise DataError(f"{name}: the training images have no segments", remedy="train on photographs of objects")
    return Oracle(name, propose, fit_ridge(table[:, :-1], table[:, -1]))
