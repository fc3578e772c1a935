"""Segments in order: the overlap with an object that ridge regression expects, made diverse."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask_saliency_baselines.maps import Floats

__all__ = ["Ridge", "diversify", "fit_ridge"]

_TRADE = 0.75
"""Of the expected overlap, in maximal marginal relevance; the rest is novelty."""


@frozen(eq=False)
class Ridge:
    """A linear function of features and their squares.

    Attributes
    ----------
    mean, scale : ndarray, (2 F,), float64
        Mean and standard deviation of the features and of their squares.
    weights : ndarray, (2 F,), float64
    intercept : float
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercept: float

    def __call__(self, features: Floats) -> NDArray[np.float64]:
        """Return the values expected of features (S, F): (S,)."""
        standard = (_with_squares(features) - self.mean) / self.scale
        return np.asarray(standard @ self.weights + self.intercept)


def fit_ridge(features: Floats, targets: Floats, penalty: float = 1.0) -> Ridge:
    """Fit ridge regression (Hoerl and Kennard, Technometrics 1970) to features and their squares, standardised.

    Parameters
    ----------
    features : ndarray, (S, F), float
        Features of at least one row.
    targets : ndarray, (S,), float
    penalty : float
        Factor on the sum of the squared weights, positive, beside the sum of the squared errors.
    """
    values = _with_squares(features)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale < 1e-12] = 1
    standard = (values - mean) / scale
    gram = standard.T @ standard + penalty * np.eye(values.shape[1])
    weights = np.linalg.solve(gram, standard.T @ (targets - targets.mean()))
    return Ridge(mean, scale, weights, float(targets.mean()))


def diversify(scores: Floats, overlap: Floats, most: int, trade: float = _TRADE) -> NDArray[np.intp]:
    """Order segments by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

    In turn the segment of the greatest ``trade score - (1 - trade) max overlap`` with those already chosen.

    Parameters
    ----------
    scores : ndarray, (S,), float
        Expected overlap with an object.
    overlap : ndarray, (S, S), float
        Intersection over union of segments, in [0, 1].
    most : int
        Number of segments that are wanted.
    trade : float
        Weight of the score, in [0, 1]; the rest is the weight of the overlap with those chosen already.

    Returns
    -------
    ndarray, (min(S, most),), intp
        Positions, the first choice first.
    """
    order: list[int] = []
    left = trade * np.asarray(scores, np.float64)
    nearest = np.zeros(len(left))
    for _ in range(min(len(left), most)):
        best = int((left - (1 - trade) * nearest).argmax())
        order.append(best)
        left[best] = -np.inf
        nearest = np.maximum(nearest, overlap[best])
    return np.array(order, np.intp)


def _with_squares(features: Floats) -> NDArray[np.float64]:
    return np.asarray(np.concatenate([features, np.square(features)], axis=1), np.float64)
