from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jointtask_saliency_baselines.graph_cut import STEPS, contrast_weights, cut_graph, cut_grid
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def cost(side: Mask, source: Floats, sink: Floats, edges: NDArray[np.int64], weights: Floats) -> float:
    crossing = side[edges[:, 0]] != side[edges[:, 1]]
    return float(sink[side].sum() + source[~side].sum() + weights[crossing].sum())


def all_sides(count: int) -> list[Mask]:
    return [np.array(side) for side in itertools.product([False, True], repeat=count)]


def grid_graph(links: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Spell out the links of a grid as edges, one by one."""
    height, width = links.shape[1:]
    edges, weights = [], []
    for (down, right), link in zip(STEPS, links, strict=True):
        for y, x in itertools.product(range(height), range(width)):
            if 0 <= y + down < height and 0 <= x + right < width:
                edges.append((y * width + x, (y + down) * width + x + right))
                weights.append(link[y, x])
    return np.array(edges), np.array(weights)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.integers(0, 14), st.sampled_from([0.01, 1.0, 50.0]), st.integers(0, 10**6))
def test_the_cut_is_a_minimum_of_all_cuts(count: int, links: int, scale: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    source, sink = random.normal(size=(2, count))
    pairs = [random.choice(count, 2, replace=False) for _ in range(links if count > 1 else 0)]
    edges, weights = np.array(pairs, int).reshape(-1, 2), random.random(len(pairs)) * scale
    graph = source, sink, edges, weights
    best = min(cost(side, *graph) for side in all_sides(count))
    assert best - 1e-9 <= cost(cut_graph(*graph), *graph) <= best + (count + len(edges)) / 1000


def test_of_several_minimum_cuts_the_source_side_is_smallest() -> None:
    edges = np.array([[0, 1], [1, 2]])
    cut = cut_graph(np.array([3.0, 0, 0]), np.array([0, 0, 3.0]), edges, np.array([1.0, 1.0]))
    assert cut.tolist() == [True, False, False]


def test_a_graph_without_edges_takes_each_node_by_itself() -> None:
    nothing = np.zeros((0, 2), int), np.zeros(0)
    assert cut_graph(np.array([2.0, 1, 1]), np.array([1.0, 2, 1]), *nothing).tolist() == [True, False, False]
    assert cut_graph(np.zeros(0), np.zeros(0), *nothing).shape == (0,)


@pytest.mark.parametrize("large", [1e5, 1e9, 1e15])
def test_large_capacities_neither_overflow_nor_drown_small_ones(large: float) -> None:
    source, sink = np.array([9 * large, 0.2, 0]), np.array([0, 0, 9 * large])
    edges, weights = np.array([[0, 1], [1, 2]]), np.array([1.0, 1.1])
    assert cut_graph(source, sink, edges, weights).tolist() == [True, True, False]
    assert cut_graph(source, sink, edges, weights * large).tolist() == [True, False, False]


@pytest.mark.parametrize("seed", range(6))
def test_a_grid_is_its_graph_whether_known_pixels_are_nodes_or_not(seed: int) -> None:
    random = np.random.default_rng(seed)
    source, sink = random.normal(size=(2, 3, 4)) * 3
    links = random.random((4, 3, 4)) * 3
    known = random.choice(3, (3, 4), p=[0.6, 0.2, 0.2])
    foreground, background = known == 1, known == 2
    graph = source.ravel(), sink.ravel(), *grid_graph(links)

    sides = [side for side in all_sides(12) if side[foreground.ravel()].all() and not side[background.ravel()].any()]
    best = min(cost(side, *graph) for side in sides)
    cut = cut_grid(source, sink, links, foreground, background)
    assert cut[foreground].all()
    assert not cut[background].any()
    assert cost(cut.ravel(), *graph) <= best + 60 / 1000

    hard = 1e3
    np.testing.assert_array_equal(cut, cut_grid(source + hard * foreground, sink + hard * background, links))


def test_a_grid_of_known_pixels_needs_no_cut() -> None:
    foreground = np.eye(4, dtype=bool)
    nothing = np.zeros((4, 4))
    np.testing.assert_array_equal(cut_grid(nothing, nothing, np.ones((4, 4, 4)), foreground, ~foreground), foreground)


def test_contrast_weights_agree_with_a_loop_over_pairs() -> None:
    image = np.random.default_rng(0).random((4, 5, 3))
    pairs = {
        (index, y, x): (np.sum((image[y, x] - image[y + down, x + right]) ** 2), np.hypot(down, right))
        for index, (down, right) in enumerate(STEPS)
        for y, x in itertools.product(range(4), range(5))
        if y + down < 4 and 0 <= x + right < 5
    }
    beta = 0.5 / np.mean([contrast for contrast, _ in pairs.values()])
    expected = np.zeros((4, 4, 5))
    for place, (contrast, distance) in pairs.items():
        expected[place] = 50 / distance * np.exp(-beta * contrast)
    np.testing.assert_allclose(contrast_weights(image, 50), expected)


def test_an_image_of_one_colour_has_full_weights() -> None:
    weights = contrast_weights(np.full((3, 3, 3), 0.5), 2)
    np.testing.assert_allclose(weights[0, :, :2], 2)
    np.testing.assert_allclose(weights[3, :2, 1:], np.sqrt(2))
