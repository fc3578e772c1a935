from __future__ import annotations

import itertools

import numpy as np
import pytest
from jointtask_saliency_baselines.abstraction import (
    colour_mixture,
    component_map,
    distribution,
    lift,
    spatial_variance,
    uniqueness,
)
from jointtask_saliency_baselines.clusters import exemplars, moments, similarity
from jointtask_saliency_baselines.maps import to_lab
from jointtask_saliency_baselines.mixture import Mixture
from jointtask_saliency_baselines.palette import quantise
from numpy.typing import NDArray


def make_layers(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).dirichlet(np.full(4, 0.5), (9, 12)).astype(np.float32)


def stretch(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return (values - values.min()) / (values.max() - values.min())


def test_uniqueness_against_loops() -> None:
    random = np.random.default_rng(1)
    mixture = Mixture(random.dirichlet(np.ones(5)), random.random((5, 3)), np.tile(np.eye(3), (5, 1, 1)))
    centrality = random.random(5) / 2
    lab = to_lab(mixture.means)
    expected = np.zeros(5)
    for i in range(5):
        distances = [float(np.linalg.norm(lab[i] - lab[j])) for j in range(5)]
        contrast = sum(weight * distance for weight, distance in zip(mixture.weights, distances, strict=True))
        expected[i] = contrast / max(distances) * np.exp(-9 * centrality[i] ** 2)
    np.testing.assert_allclose(uniqueness(mixture, centrality), stretch(expected))


def test_similarity_against_loops() -> None:
    layers, weights = make_layers(), np.array([0.1, 0.2, 0.3, 0.4])
    mingled = np.zeros((4, 4))
    for pixel in layers.reshape(-1, 4):
        second, first = np.argsort(pixel)[-2:]
        mingled[first, second] += pixel[second]
        mingled[second, first] += pixel[second]
    expected = np.zeros((4, 4))
    scale = 7 * 9 * 12 / 1e4
    for i, j in itertools.permutations(range(4), 2):
        expected[i, j] = np.log(1 + mingled[i, j] / (scale * min(weights[i], weights[j]) + 1e-4)) - 1
    preference = 4 * expected.sum() / 16
    expected[range(4), range(4)] = preference
    np.testing.assert_allclose(similarity(layers, weights), expected, rtol=1e-5)


@pytest.mark.parametrize("preference", [-3.0, -0.5, 0.2, 2.0])
def test_exemplars_maximise_the_net_similarity(preference: float) -> None:
    alike = np.random.default_rng(2).normal(size=(6, 6))
    np.fill_diagonal(alike, preference)
    best = -np.inf
    for size in range(1, 7):
        for chosen in itertools.combinations(range(6), size):
            net = sum(alike[i, i] if i in chosen else max(alike[i, k] for k in chosen) for i in range(6))
            best = max(best, net)
    found = exemplars(alike)
    assert all(found[exemplar] == exemplar for exemplar in found)
    assert alike[range(6), found].sum() == pytest.approx(best)


def test_exemplars_join_what_mingles() -> None:
    alike = np.array([[1.0, 5.0, -1.0], [5.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
    found = exemplars(alike)
    assert found[0] == found[1] != found[2] == 2


def test_moments_against_loops() -> None:
    layers, members = make_layers(), np.array([0, 2, 2, 3])
    height, width = layers.shape[:2]
    spread, centrality = moments(layers, members)
    for component in range(4):
        merged = layers[..., members == members[component]].sum(axis=2, dtype=np.float64)
        weight = merged / merged.sum()
        y, x = np.mgrid[:height, :width] + 0.5
        variance = sum((weight * (axis - (weight * axis).sum()) ** 2).sum() for axis in (x, y))
        distance = (weight * np.sqrt((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2)).sum()
        assert spread[component] == pytest.approx(variance)
        assert centrality[component] == pytest.approx(distance)


def test_distribution_rewards_compact_and_central_clusters() -> None:
    # By hand: V = (0, 0.5, 1), D = (0.5, 0, 1), so (1 - V)(1 - D) = (0.5, 0.5, 0).
    np.testing.assert_allclose(distribution(np.array([3.0, 4.0, 5.0]), np.array([0.2, 0.1, 0.3])), [1, 1, 0])


def test_lifting_passes_over_specks() -> None:
    values = np.array([1.0, 0.5, 0.1])
    np.testing.assert_allclose(lift(values, np.array([0.001, 0.5, 0.499])), [1, 1, 0.2])
    np.testing.assert_allclose(lift(values, np.array([0.1, 0.4, 0.5])), values)
    np.testing.assert_allclose(lift(values, np.array([0.001, 0.001, 0.998])), [1, 1, 1])
    assert not lift(np.zeros(2), np.array([0.5, 0.5])).any()


def test_component_map_against_loops() -> None:
    random = np.random.default_rng(5)
    image = random.integers(0, 256, (7, 8, 3), dtype=np.uint8)
    palette = quantise(image)
    belongs = random.dirichlet(np.ones(3), len(palette.counts))
    weights, values = np.array([0.5, 0.3, 0.2]), np.array([0.0, 0.4, 1.0])
    colours = stretch(np.array([sum(p * value for p, value in zip(row, values, strict=True)) for row in belongs]))
    colours = stretch(1 / (1 + np.exp(-(8 * colours - 4))))
    padded = np.pad(colours[palette.labels], 1, mode="reflect")
    boxes = np.array([[padded[y : y + 3, x : x + 3].mean() for x in range(8)] for y in range(7)])
    np.testing.assert_allclose(component_map(palette, belongs, weights, values), stretch(boxes), atol=1e-5)


def test_spatial_variance() -> None:
    saliency = np.zeros((10, 20), np.float32)
    assert spatial_variance(saliency) == np.inf
    saliency[4, 3] = saliency[4, 7] = saliency[8, 5] = 0.5
    ys, xs = np.nonzero(saliency)
    assert spatial_variance(saliency) == pytest.approx(xs.var() + ys.var())


def test_mixture_finds_the_tones_of_an_image() -> None:
    tones = np.array([[0.9, 0.1, 0.1], [0.1, 0.1, 0.9], [0.5, 0.5, 0.5]])
    random = np.random.default_rng(6)
    image = tones[random.integers(0, 3, (30, 30))] + random.normal(0, 0.02, (30, 30, 3))
    mixture = colour_mixture(quantise((image.clip(0, 1) * 255).astype(np.uint8)))
    assert 3 <= len(mixture.weights) <= 5
    nearest = np.linalg.norm(mixture.means[:, None] - tones, axis=2).min(axis=0)
    assert nearest.max() < 0.02
