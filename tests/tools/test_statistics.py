"""The intervals of a comparison: against tables, brute force and simulation."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest

from jointtask.tools.statistics import bootstrap_interval, mean_interval, resampled_means, student_quantile


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (5, 2.57058), (9, 2.26216), (30, 2.04227), (120, 1.97993)],
)
def test_student_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    assert student_quantile(freedom) == pytest.approx(quantile, rel=2e-6)


def test_the_interval_over_seeds() -> None:
    assert mean_interval([0.5]) is None
    assert mean_interval([]) is None
    low, high = mean_interval([0.70, 0.72, 0.77]) or (math.nan, math.nan)
    # mean 0.73, standard deviation sqrt(0.0013), half width 4.30265 sqrt(0.0013 / 3)
    assert (low, high) == pytest.approx((0.73 - 0.0895662, 0.73 + 0.0895662), abs=1e-6)
    assert mean_interval([0.25, 0.25]) == (0.25, 0.25)


def test_resamples_are_those_of_a_plain_loop() -> None:
    differences = np.random.default_rng(3).normal(size=(3, 7))
    random = np.random.default_rng(0)
    seeds, examples = random.integers(3, size=(50, 3)), random.integers(7, size=(50, 7))
    plain = [
        sum(differences[s, i] for s in drawn for i in index) / 21
        for drawn, index in zip(seeds.tolist(), examples.tolist(), strict=True)
    ]
    np.testing.assert_allclose(resampled_means(differences, 50), plain, rtol=1e-12)


def test_resampling_follows_the_exact_bootstrap_distribution() -> None:
    """Against all 2^2 x 4^4 resamples; the Dvoretzky-Kiefer-Wolfowitz bound is broken by chance once in 10^6."""
    differences = np.array([[0.3, -0.1, 0.25, 0.02], [0.1, 0.4, -0.35, 0.07]])
    exact = np.sort(
        [
            differences[np.ix_(seeds, index)].mean()
            for seeds in itertools.product(range(2), repeat=2)
            for index in itertools.product(range(4), repeat=4)
        ]
    )
    count = 40_000
    drawn = np.sort(resampled_means(differences, count))
    at = exact + 1e-9  # past the rounding of equal means
    apart = np.searchsorted(drawn, at) / count - np.searchsorted(exact, at) / exact.size
    assert np.abs(apart).max() < math.sqrt(math.log(2 / 1e-6) / (2 * count))


def test_many_examples_are_resampled_in_bounded_memory() -> None:
    scores = np.random.default_rng(4).normal(size=(1, 20_000))
    tracemalloc.start()
    means = resampled_means(scores, 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6  # all 2e7 numbers at once would take 160 MB, and their positions as much
    # The deviation of 1,000 normal means is sigma / sqrt(n) within 15 %, six standard errors, but once in 10^8 seeds.
    assert means.std() == pytest.approx(scores.std() / math.sqrt(20_000), rel=0.15)


def test_the_interval_is_the_same_every_time_and_needs_two_examples() -> None:
    differences = np.random.default_rng(5).normal(0.2, 1, size=(1, 80))
    assert bootstrap_interval(differences) == bootstrap_interval(differences.copy())
    assert bootstrap_interval(differences[:, :1]) is None
    assert bootstrap_interval(differences[:0]) is None
    assert bootstrap_interval(np.zeros((2, 9))) == (0.0, 0.0)


def test_pairing_makes_the_interval_narrower() -> None:
    """Scores of two arms share what is hard about an example; their difference does not."""
    random = np.random.default_rng(6)
    hard, noise = random.normal(size=(1, 200)), 0.1 * random.normal(size=(2, 200))
    low, high = bootstrap_interval(noise[:1] - noise[1:]) or (math.nan, math.nan)
    far, near = bootstrap_interval(hard + noise[:1] - np.roll(hard + noise[1:], 1)) or (math.nan, math.nan)
    assert 4 * (high - low) < near - far


@pytest.mark.parametrize(
    ("seeds", "spread", "least", "most"),
    [
        (1, 0.0, 0.93, 0.96),
        (5, 0.1, 0.95, 0.98),
        # Few seeds that differ are covered too seldom, which docs/decisions/compare.md says and the page warns of.
        (3, 0.3, 0.87, 0.92),
    ],
)
def test_coverage(seeds: int, spread: float, least: float, most: float) -> None:
    """Of 600 data sets of 100 examples, as many intervals cover zero as a coverage from `least` to `most` allows.

    Five standard errors of either are left for chance: a right bootstrap fails less than once in 10,000 (binomial).
    """
    random = np.random.default_rng(7)
    total = 600
    covered = 0
    for _ in range(total):
        apart = (
            spread * random.normal(size=(seeds, 1)) + random.normal(size=(1, 100)) + random.normal(size=(seeds, 100))
        )
        low, high = bootstrap_interval(apart) or (math.nan, math.nan)
        covered += low <= 0 <= high
    below, above = (5 * math.sqrt(share * (1 - share) / total) for share in (least, most))
    assert least - below < covered / total < most + above
