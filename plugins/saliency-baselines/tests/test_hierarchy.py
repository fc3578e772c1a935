from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from jointtask_saliency_baselines.hierarchy import local_contrast, location, solve_tree
from jointtask_saliency_baselines.layers import region_layers, region_scale
from numpy.typing import NDArray


def make_image(height: int, width: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(size=(height, width, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)


def slow_scale(mask: NDArray[np.bool_]) -> int:
    height, width = mask.shape
    for side in range(min(height, width), 0, -1):
        corners = [(y, x) for y in range(height - side + 1) for x in range(width - side + 1)]
        if any(mask[y : y + side, x : x + side].all() for y, x in corners):
            return side
    return 0


@pytest.mark.parametrize("seed", range(20))
def test_scale_is_the_side_of_the_largest_square(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = cv2.GaussianBlur(random.normal(size=(17, 14)), (0, 0), 1 + seed / 5) > -0.05
    mask[3, 3] = True
    assert region_scale(mask) == slow_scale(mask)


@pytest.mark.parametrize(("shape", "scale"), [((1, 1), 1), ((1, 9), 1), ((4, 4), 4), ((5, 8), 5), ((2, 3), 2)])
def test_scale_of_rectangles(shape: tuple[int, int], scale: int) -> None:
    assert region_scale(np.ones(shape, np.bool_)) == scale


def slow_merge(image: NDArray[np.uint8], labels: NDArray[np.int32], threshold: int) -> NDArray[np.int32]:
    """Merge one region at a time, and look at everything afresh each time."""
    luv = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LUV)
    labels = labels.copy()
    while len(alive := np.unique(labels)) > 1:
        scales = {region: slow_scale(labels == region) for region in alive}
        region = min(scales, key=lambda one: (scales[one], one))
        if scales[region] >= threshold:
            break
        around = cv2.dilate((labels == region).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) > 0
        neighbours = [other for other in np.unique(labels[around]) if other != region]
        mean = luv[labels == region].mean(axis=0, dtype=np.float64)
        nearest = min(
            neighbours, key=lambda one: np.linalg.norm(luv[labels == one].mean(axis=0, dtype=np.float64) - mean)
        )
        labels[labels == region] = nearest
    return labels


def test_layers_against_a_slow_merging() -> None:
    image = make_image(14, 18)
    basins, *layers = region_layers(image, (1, 3, 5))
    assert len(np.unique(basins)) > 10
    expected = basins
    for labels, threshold in zip(layers, (3, 5), strict=True):
        expected = slow_merge(image, expected, threshold)
        # Both number by the basin that took in the others.
        np.testing.assert_array_equal(labels, np.unique(expected, return_inverse=True)[1].reshape(expected.shape))


def test_a_layer_whose_scale_exceeds_the_image_is_one_region() -> None:
    fine, coarse = region_layers(make_image(4, 40), (2, 5))
    assert fine.max() > 0
    assert not coarse.any()


def test_layers_are_nested_connected_and_large_enough() -> None:
    image = make_image(60, 80)
    layers = region_layers(image, (5, 17, 33))
    for labels, scale in zip(layers, (5, 17, 33), strict=True):
        count = labels.max() + 1
        assert np.array_equal(np.unique(labels), np.arange(count))
        for region in range(count):
            assert cv2.connectedComponents((labels == region).astype(np.uint8), connectivity=4)[0] == 2
            assert count == 1 or region_scale(labels == region) >= scale
    for fine, coarse in itertools.pairwise(layers):
        assert all(len(np.unique(coarse[fine == region])) == 1 for region in range(fine.max() + 1))


def test_local_contrast_against_loops() -> None:
    random = np.random.default_rng(1)
    labels = np.arange(12).reshape(3, 4).repeat(5, axis=0).repeat(6, axis=1).astype(np.int32)
    labels[labels == 11] = 3
    lab = random.random((*labels.shape, 3)) * 100
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]] / max(labels.shape)
    expected = np.zeros(11)
    for i in range(11):
        for j in range(11):
            one, other = labels == i, labels == j
            apart = (x[one].mean() - x[other].mean()) ** 2 + (y[one].mean() - y[other].mean()) ** 2
            difference = np.linalg.norm(lab[one].mean(axis=0) - lab[other].mean(axis=0))
            expected[i] += other.sum() * np.exp(-apart / 0.04) * difference
    np.testing.assert_allclose(local_contrast(labels, lab), expected)


def test_location_against_loops() -> None:
    labels = np.random.default_rng(2).integers(0, 3, (6, 9)).astype(np.int32)
    for region, value in enumerate(location(labels)):
        places = [((x + 0.5) / 9 - 0.5, (y + 0.5) / 6 - 0.5) for y, x in np.argwhere(labels == region)]
        assert value == pytest.approx(np.mean([np.exp(-9 * (x**2 + y**2)) for x, y in places]))


def test_tree_against_a_dense_solve() -> None:
    random = np.random.default_rng(3)
    sizes, trust, consistency = (9, 4, 2), (0.5, 4.0, 2.0), 4.0
    cues = [random.random(size) for size in sizes]
    parents = [np.append(np.arange(4), random.integers(0, 4, 5)), np.array([0, 1, 0, 1])]
    start = np.cumsum((0, *sizes))
    matrix, right = np.zeros((15, 15)), np.zeros(15)
    for layer in range(3):
        for region, cue in enumerate(cues[layer]):
            node = start[layer] + region
            matrix[node, node] += trust[layer]
            right[node] += trust[layer] * cue
            if layer < 2:
                above = start[layer + 1] + parents[layer][region]
                matrix[[node, above], [node, above]] += consistency
                matrix[[node, above], [above, node]] -= consistency
    np.testing.assert_allclose(solve_tree(cues, parents, trust, consistency), np.linalg.solve(matrix, right)[:9])
