"""Gaussian mixtures of weighted points, grown by splitting: the colour models of SaliencyCut and GC."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask_saliency_baselines.maps import Floats

__all__ = ["Mixture", "fit", "refit"]

_LEAST_VARIANCE = 0.01
"""A cluster that is narrower along its principal axis is not split (colours in [0, 1])."""

_RIDGE = 1e-7 / 9
"""Added to the diagonal of every covariance, so that a cluster of one colour has a density."""


@frozen(eq=False)
class Mixture:
    """A mixture of K Gaussians with full covariances.

    Attributes
    ----------
    weights : ndarray, (K,), float64
        Share of each component; they sum to 1.
    means : ndarray, (K, D), float64
    covariances : ndarray, (K, D, D), float64
        Positive definite.
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]

    def log_densities(self, points: Floats) -> NDArray[np.float64]:
        """Return the log density of points (N, D) under each component, without its weight: (N, K)."""
        return self._by_component(points).T

    def log_density(self, points: Floats) -> NDArray[np.float64]:
        """Return the log density of points (N, D) under the mixture: (N,)."""
        joint = self._by_component(points)
        joint += np.log(self.weights)[:, None]
        largest = joint.max(axis=0)
        joint -= largest
        density: NDArray[np.float64] = np.log(np.exp(joint, out=joint).sum(axis=0))
        density += largest
        return density

    def _by_component(self, points: Floats) -> NDArray[np.float64]:
        """Return the log densities, (K, N), from coordinates in which a component is a standard normal."""
        count, dimensions = self.means.shape
        whitening = np.linalg.inv(np.linalg.cholesky(self.covariances))
        centre = np.einsum("kij,kj->ki", whitening, self.means)
        white = whitening.reshape(-1, dimensions) @ points.T
        white -= centre.reshape(-1, 1)
        white *= white
        distance: NDArray[np.float64] = white.reshape(count, dimensions, -1).sum(axis=1)
        volume = np.log(np.diagonal(whitening, axis1=1, axis2=2)).sum(axis=1) - dimensions / 2 * np.log(2 * np.pi)
        distance *= -0.5
        distance += volume[:, None]
        return distance


def fit(points: Floats, weights: Floats, components: int) -> Mixture:
    """Fit a mixture to weighted points by binary splits (Orchard and Bouman, IEEE Trans. Signal Processing 1991).

    All points start in one cluster. The cluster with the largest variance along its principal axis is split at its
    mean, across that axis, until there are enough clusters or that variance is below 0.01.

    Parameters
    ----------
    points : ndarray, (N, D), float
        Colours in [0, 1], for the bound on the variance to mean what it should.
    weights : ndarray, (N,), float
        Weights of the points, at least 0, not all of them 0. Equal points may be given once, with the sum of their
        weights.
    components : int
        K at most.

    Returns
    -------
    Mixture
        A mixture of 1 to `components` components.

    Raises
    ------
    ValueError
        If no point has a weight.
    """
    used = weights > 0
    clusters = [_Cluster.of(points[used], weights[used])]
    while len(clusters) < components:
        widest = max(range(len(clusters)), key=lambda index: clusters[index].variance)
        if clusters[widest].variance < _LEAST_VARIANCE:
            break
        cluster = clusters.pop(widest)
        far = cluster.points @ cluster.axis > cluster.mean @ cluster.axis
        clusters += [_Cluster.of(cluster.points[side], cluster.weights[side]) for side in (~far, far)]
    return _mixture(clusters)


def refit(points: Floats, weights: Floats, labels: NDArray[np.integer[Any]], components: int) -> Mixture:
    """Return the mixture whose components are the points of one label each; a label without weight is dropped.

    Parameters
    ----------
    points : ndarray, (N, D), float
    weights : ndarray, (N,), float
        Weights of the points, at least 0, not all of them 0.
    labels : ndarray, (N,), int
        The component of each point, 0 to `components` - 1.
    components : int
        Number of labels.

    Raises
    ------
    ValueError
        If no point has a weight.
    """
    used = weights > 0
    members = [used & (labels == label) for label in range(components)]
    return _mixture([_Cluster.of(points[member], weights[member]) for member in members if member.any()])


@frozen(eq=False)
class _Cluster:
    """Weighted points, their moments, and the largest variance along any axis."""

    points: Floats
    weights: Floats
    total: float
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    variance: float
    axis: NDArray[np.float64]

    @classmethod
    def of(cls, points: Floats, weights: Floats) -> _Cluster:
        total = float(weights.sum(dtype=np.float64))
        if not total:
            raise ValueError("a mixture needs at least one point of positive weight")
        weighted = points * (weights / total)[:, None]
        mean = weighted.sum(axis=0, dtype=np.float64)
        covariance = (weighted.T @ points).astype(np.float64) - np.outer(mean, mean)
        variances, axes = np.linalg.eigh(covariance)
        return cls(points, weights, total, mean, covariance, float(variances[-1]), axes[:, -1])


def _mixture(clusters: list[_Cluster]) -> Mixture:
    if not clusters:
        raise ValueError("a mixture needs at least one point of positive weight")
    total = np.array([cluster.total for cluster in clusters])
    means = np.stack([cluster.mean for cluster in clusters])
    covariances = np.stack([cluster.covariance for cluster in clusters])
    return Mixture(total / total.sum(), means, covariances + _RIDGE * np.eye(means.shape[1]))
