from __future__ import annotations

import numpy as np
import pytest
from jointtask_saliency_baselines.mixture import Mixture, fit, refit
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

Floats = NDArray[np.float64]


def draw(seed: int, count: int = 200) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    return random.random((count, 3)), random.random(count)


def moments(points: Floats, weights: Floats) -> tuple[Floats, Floats]:
    covariance = np.cov(points.T, aweights=weights, ddof=0)
    return np.average(points, axis=0, weights=weights), covariance + np.eye(3) * 1e-7 / 9


def largest_variance(points: Floats, weights: Floats) -> float:
    return float(np.linalg.eigvalsh(moments(points, weights)[1])[-1])


def test_log_densities_agree_with_scipy() -> None:
    points, weights = draw(0)
    mixture = fit(points, weights, 4)
    expected = np.stack(
        [multivariate_normal(m, c).logpdf(points) for m, c in zip(mixture.means, mixture.covariances, strict=True)], 1
    )
    np.testing.assert_allclose(mixture.log_densities(points), expected, rtol=1e-9)
    np.testing.assert_allclose(
        mixture.log_density(points), np.log(np.exp(expected) @ mixture.weights), rtol=1e-9, atol=1e-9
    )


def test_a_density_far_from_every_component_is_finite() -> None:
    mixture = fit(np.full((3, 3), 0.5), np.ones(3), 5)
    far = mixture.log_density(np.array([[0.5, 0.5, 0.5], [1.0, 1.0, 1.0]]))
    assert np.isfinite(far).all()
    assert far[1] < -1e6 < 0 < far[0]


def test_one_component_has_the_weighted_moments() -> None:
    points, weights = draw(1)
    mixture = fit(points, weights, 1)
    mean, covariance = moments(points, weights)
    np.testing.assert_allclose(mixture.means[0], mean)
    np.testing.assert_allclose(mixture.covariances[0], covariance)


def test_the_widest_cluster_is_split_at_its_mean_until_none_is_wide() -> None:
    random = np.random.default_rng(2)
    centres = np.array([[0.1, 0.1, 0.1], [0.9, 0.9, 0.9], [0.9, 0.1, 0.1]])
    counts = np.array([500, 300, 100])
    points = np.repeat(centres, counts, axis=0) + random.normal(scale=0.02, size=(900, 3))
    mixture = fit(points, np.ones(900), 5)
    order = np.argsort(mixture.weights)[::-1]
    np.testing.assert_allclose(mixture.weights[order], counts / 900)
    np.testing.assert_allclose(mixture.means[order], centres, atol=0.01)


def test_splitting_agrees_with_a_plain_loop() -> None:
    points, weights = draw(3)
    clusters = [np.arange(len(points))]
    while len(clusters) < 5:
        clusters.sort(key=lambda member: largest_variance(points[member], weights[member]))
        member = clusters.pop()
        mean, covariance = moments(points[member], weights[member])
        ahead = (points[member] - mean) @ np.linalg.eigh(covariance)[1][:, -1] > 0
        clusters += [member[ahead], member[~ahead]]
    mixture = fit(points, weights, 5)
    expected = sorted(weights[member].sum() / weights.sum() for member in clusters)
    np.testing.assert_allclose(np.sort(mixture.weights), expected)


def test_equal_points_may_be_given_once() -> None:
    points, _ = draw(4, count=50)
    times = np.random.default_rng(5).integers(1, 9, 50)
    once, often = fit(points, times.astype(float), 5), fit(np.repeat(points, times, axis=0), np.ones(times.sum()), 5)
    np.testing.assert_allclose(once.log_density(points), often.log_density(points))


def test_points_without_weight_change_nothing() -> None:
    points, weights = draw(6)
    weights[::2] = 0
    some, all_ = fit(points[1::2], weights[1::2], 5), fit(points, weights, 5)
    np.testing.assert_allclose(some.log_density(points), all_.log_density(points))


def test_refit_takes_the_moments_of_each_label_and_drops_an_empty_one() -> None:
    points, weights = draw(7)
    labels = np.where(points[:, 0] > 0.5, 2, 0)
    weights[0], labels[0] = 0, 1
    mixture: Mixture = refit(points, weights, labels, 4)
    for component, label in enumerate((0, 2)):
        mean, covariance = moments(points[labels == label], weights[labels == label])
        np.testing.assert_allclose(mixture.weights[component], weights[labels == label].sum() / weights.sum())
        np.testing.assert_allclose(mixture.means[component], mean)
        np.testing.assert_allclose(mixture.covariances[component], covariance)
    assert mixture.weights.shape == (2,)


def test_no_weight_at_all_is_refused() -> None:
    points, _ = draw(8)
    nothing = np.zeros(len(points))
    with pytest.raises(ValueError, match="positive weight"):
        fit(points, nothing, 5)
    with pytest.raises(ValueError, match="positive weight"):
        refit(points, nothing, np.zeros(len(points), int), 5)
