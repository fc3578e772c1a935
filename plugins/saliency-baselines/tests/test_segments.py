from __future__ import annotations

import cv2
import numpy as np
import pytest
from jointtask_saliency_baselines.segment_features import FEATURES, segment_features
from jointtask_saliency_baselines.segments import Proposer, distinct, overlaps, parametric_segments, region_segments
from jointtask_saliency_baselines.superpixel_graph import SuperpixelGraph, superpixel_graph
from jointtask_saliency_baselines.working_size import shrink
from numpy.typing import NDArray

PROPOSERS = [parametric_segments, region_segments]


def scene() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Paint an orange disc on green, both with some noise."""
    rows, columns = np.mgrid[:120, :160]
    mask = np.hypot(rows - 60, columns - 90) < 30
    noise = np.random.default_rng(0).integers(-12, 13, (120, 160, 3))
    return (np.where(mask[..., None], (200, 110, 50), (60, 130, 80)) + noise).astype(np.uint8), mask


@pytest.fixture(scope="module")
def graph() -> SuperpixelGraph:
    return superpixel_graph(scene()[0])


def pixels(segments: NDArray[np.bool_], graph: SuperpixelGraph) -> NDArray[np.bool_]:
    return segments[:, graph.labels]


def test_a_graph_has_the_pixels_of_its_image(graph: SuperpixelGraph) -> None:
    assert 200 < len(graph.sizes) < 500
    assert graph.sizes.min() > 0
    assert graph.sizes.sum() == 120 * 160
    lab = cv2.cvtColor(scene()[0].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    np.testing.assert_allclose(graph.colours[7], lab[graph.labels == 7].mean(axis=0), rtol=1e-4)
    across = np.count_nonzero(graph.labels[1:] != graph.labels[:-1])
    assert graph.lengths.sum() == across + np.count_nonzero(graph.labels[:, 1:] != graph.labels[:, :-1])
    mask = scene()[1]
    assert graph.counts(mask).tolist() == [
        np.count_nonzero(mask & (graph.labels == n)) for n in range(len(graph.sizes))
    ]


def test_links_are_weakest_around_the_object(graph: SuperpixelGraph) -> None:
    inside = graph.counts(scene()[1]) > graph.sizes / 2
    across = inside[graph.edges[:, 0]] != inside[graph.edges[:, 1]]
    assert graph.contrasts[across].min() > np.quantile(graph.contrasts[~across], 0.9)
    np.testing.assert_allclose(graph.weights, graph.lengths * np.exp(-graph.contrasts))


@pytest.mark.parametrize("propose", PROPOSERS)
def test_an_object_is_among_the_segments(propose: Proposer, graph: SuperpixelGraph) -> None:
    segments, mask = pixels(propose(graph), graph), scene()[1]
    common = (segments & mask).sum(axis=(1, 2))
    assert (common / (segments | mask).sum(axis=(1, 2))).max() > 0.9


@pytest.mark.parametrize("propose", PROPOSERS)
def test_segments_are_of_usable_sizes_and_differ(propose: Proposer, graph: SuperpixelGraph) -> None:
    segments = propose(graph)
    share = pixels(segments, graph).mean(axis=(1, 2))
    assert share.min() >= 150 / 120_000
    assert share.max() <= 0.9
    overlap = overlaps(segments, graph.sizes)
    np.testing.assert_allclose(np.diagonal(overlap), 1)
    assert (overlap - np.eye(len(overlap))).max() <= 0.95


@pytest.mark.parametrize("propose", PROPOSERS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (4, 4), (60, 40)])
def test_images_of_one_colour_and_tiny_ones_are_survived(propose: Proposer, shape: tuple[int, int]) -> None:
    graph = superpixel_graph(np.full((*shape, 3), 90, np.uint8))
    segments = propose(graph)
    assert segments.shape[1:] == graph.sizes.shape
    assert segment_features(segments, graph).shape == (len(segments), len(FEATURES))


def test_overlaps_count_pixels(graph: SuperpixelGraph) -> None:
    segments = np.random.default_rng(1).random((5, len(graph.sizes))) < 0.4
    masks = pixels(segments, graph)
    np.testing.assert_allclose(
        overlaps(segments, graph.sizes), [[(a & b).sum() / (a | b).sum() for b in masks] for a in masks]
    )


def test_the_earlier_of_two_like_segments_is_kept(graph: SuperpixelGraph) -> None:
    first = graph.labels[60, 90] != np.arange(len(graph.sizes))
    first[len(first) // 2 :] = False
    second, third = first.copy(), ~first
    second[np.flatnonzero(first)[0]] = False  # one superpixel in about a hundred and fifty
    third[np.flatnonzero(third)[:60]] = False
    np.testing.assert_array_equal(distinct([first, second, third, first], graph), [first, third])
    assert distinct([np.ones_like(first), np.zeros_like(first)], graph).shape == (0, len(first))


def test_features_agree_with_their_pixels(graph: SuperpixelGraph) -> None:
    segments = parametric_segments(graph)
    segment = segments[len(segments) // 2]
    features = dict(zip(FEATURES, segment_features(segment[None], graph)[0], strict=True))
    mask = segment[graph.labels]
    rows, columns = np.nonzero(mask)
    assert features["area"] == pytest.approx(mask.mean())
    assert features["centre x"] == pytest.approx(abs((columns.mean() + 0.5) / 160 - 0.5))
    assert features["centre y"] == pytest.approx(abs((rows.mean() + 0.5) / 120 - 0.5))
    border = sum(int(side.sum()) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    assert features["border contact"] == pytest.approx(border / (2 * (120 + 160)))
    around = np.pad(mask, 1)
    perimeter = np.count_nonzero(np.diff(around, axis=0)) + np.count_nonzero(np.diff(around, axis=1))
    assert features["compactness"] == pytest.approx(4 * np.pi * mask.sum() / perimeter**2)
    corners = np.concatenate([np.stack([columns + x, rows + y], axis=1) for x in (0, 1) for y in (0, 1)])
    assert features["convexity"] == pytest.approx(
        mask.sum() / cv2.contourArea(cv2.convexHull(corners.astype(np.int32)))
    )


def test_an_object_has_contrast_and_colours_of_its_own(graph: SuperpixelGraph) -> None:
    inside = graph.counts(scene()[1]) > graph.sizes / 2
    half = np.arange(len(inside)) < len(inside) // 2
    whole, part = (dict(zip(FEATURES, row, strict=True)) for row in segment_features(np.stack([inside, half]), graph))
    assert whole["boundary contrast"] > 3 * part["boundary contrast"]
    assert whole["colour difference"] > 0.9 > part["colour difference"]
    assert whole["border contact"] == 0


def test_only_large_images_are_shrunk() -> None:
    assert shrink(np.zeros((300, 400, 3), np.uint8)).shape == (300, 400, 3)
    assert shrink(np.zeros((900, 600, 3), np.uint8)).shape == (400, 267, 3)
    assert shrink(np.zeros((1, 5000, 3), np.uint8)).shape == (1, 400, 3)
