"""Intervals of means: over seeds, over examples, and over examples and seeds of a paired difference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["RESAMPLES", "bootstrap_interval", "mean_interval", "resampled_means", "student_quantile"]

RESAMPLES = 2000
"""Bootstrap resamples behind an interval."""

_SEED = 0  # the comparison of the same runs is the same every time
_AT_ONCE = 1_000_000  # numbers resampled at a time, so that memory stays bounded


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of a mean by Student's t.

    Parameters
    ----------
    values : sequence of float
        Values, one a seed.

    Returns
    -------
    tuple of two floats or None
        None for fewer than two values.
    """
    count = len(values)
    if count < 2:
        return None
    mean = math.fsum(values) / count
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = student_quantile(count - 1) * deviation / math.sqrt(count)
    return mean - half, mean + half


def student_quantile(freedom: int) -> float:
    """Return what Student's t stays below in size with probability 0.95.

    Parameters
    ----------
    freedom : int
        Degrees of freedom, at least 1.
    """
    low, high = 0.0, 13.0  # with one degree of freedom it is 12.7
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _student(middle, freedom) < 0.95 else (low, middle)
    return high


def _student(t: float, freedom: int) -> float:
    """Return how probably T stays below t in size, by Abramowitz and Stegun (1964), 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    even = freedom % 2 == 0
    term = 1.0 if even else math.cos(angle)
    total = term if freedom > 1 else 0.0
    for k in range(2 if even else 3, freedom - 1, 2):
        term *= math.cos(angle) ** 2 * (k - 1) / k
        total += term
    return math.sin(angle) * total if even else 2 / math.pi * (angle + math.sin(angle) * total)


def bootstrap_interval(differences: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the 95 % percentile bootstrap interval of a mean: of scores, or of paired differences of scores.

    Each resample draws examples with replacement, and seeds too where there are several, independently of each other;
    an example keeps its pair, and all seeds of a resample see the same examples (Efron and Tibshirani, *An Introduction
    to the Bootstrap*, 1993, chapters 8 and 13; Owen, *The pigeonhole bootstrap*, Annals of Applied Statistics 1, 2007).
    With one seed the interval holds for that pair of trained networks alone.

    Parameters
    ----------
    differences : ndarray, (S, N)
        Scores, or scores of one arm minus scores of the other, by seed and example; all finite.

    Returns
    -------
    tuple of two floats or None
        None for fewer than two examples.
    """
    if differences.shape[0] < 1 or differences.shape[1] < 2:
        return None
    low, high = np.percentile(resampled_means(differences, RESAMPLES), [2.5, 97.5])
    return float(low), float(high)


def resampled_means(differences: NDArray[np.float64], resamples: int) -> NDArray[np.float64]:
    """Return the mean of each bootstrap resample of `bootstrap_interval`; the same every time.

    Parameters
    ----------
    differences : ndarray, (S, N)
        Differences by seed and example.
    resamples : int
        Number of resamples.

    Returns
    -------
    ndarray, (resamples,)
    """
    seeds, examples = differences.shape
    random = np.random.default_rng(_SEED)
    means = np.empty(resamples)
    step = max(1, _AT_ONCE // differences.size)
    for first in range(0, resamples, step):
        batch = means[first : first + step]
        drawn = differences[random.integers(seeds, size=(batch.size, seeds))].mean(axis=1)
        index = random.integers(examples, size=(batch.size, examples))
        batch[:] = np.take_along_axis(drawn, index, axis=1).mean(axis=1)
    return means
