"""The upstream proposal term: where the upstream task believes the reference to be."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jointtask.api.proposal import History
from jointtask.api.task import Batch

__all__ = ["UpstreamTerm", "flatten"]

_STEPS = 40
"""Halvings of the strength's interval: a float64 has 52 bits, and the spread needs fewer."""


class UpstreamTerm:
    """``exp(-strength * upstream energy)``.

    Alone and at strength 1, the upstream energy drops out of the acceptance: a move from a to b is accepted with
    probability ``min(1, exp(downstream(a) - downstream(b)))``, and no state is solved downstream that the upstream
    task rules out. An upstream task that is surer than it may be leaves such a chain a handful of states; then the
    strength of an example is lowered until its proposal spreads over enough of them.

    Parameters
    ----------
    spread : float
        Least effective number of states of the proposal, at least 1: the strength is the greatest, up to 1, that
        reaches it. 1 leaves the strength at 1.

    Notes
    -----
    Hastings, "Monte Carlo sampling methods using Markov chains and their applications", Biometrika 1970, section 2.4:
    an independence chain whose proposal is one factor of the target.
    """

    version = "1"
    prepares = False

    def __init__(self, spread: float) -> None:
        self._spread = spread

    def prepare(self, example: Mapping[str, Tensor]) -> None:
        """Have nothing to prepare."""

    def log_weight(self, batch: Batch, reference: Tensor, history: History) -> Tensor:
        """Return minus the upstream energy, times the strength: (B, N), float64.

        Raises
        ------
        ValueError
            If no upstream energy is known.
        """
        if history.upstream is None:
            raise ValueError("the proposal term 'upstream' needs the upstream energy of all states")
        return torch.from_numpy(flatten(-history.upstream.to("cpu", torch.float64).numpy(), self._spread))


def flatten(logs: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    """Scale log weights (B, N), finite, row by row until they spread over enough states.

    Parameters
    ----------
    logs : ndarray, (B, N)
        Unnormalised.
    spread : float
        Least effective number of states, the exponential of the entropy; more than N is taken for N.

    Returns
    -------
    ndarray, (B, N)
        Each row times a factor of its own, the greatest in [0, 1] that reaches the spread; the same bits in any batch.
    """
    logs = logs - logs.max(axis=1, keepdims=True)
    wanted = math.log(min(spread, logs.shape[1]))
    low, high = np.zeros((len(logs), 1)), np.ones((len(logs), 1))
    for step in range(_STEPS):
        factor = high if step == 0 else (low + high) / 2
        enough = _entropy(factor * logs) >= wanted
        low, high = np.where(enough, factor, low), np.where(enough, high, factor)
    result: NDArray[np.float64] = low * logs
    return result


def _entropy(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy in nats, (B, 1), of unnormalised log weights (B, N) whose greatest is 0."""
    weight = np.exp(logs)
    total, mean = (np.cumsum(part, axis=1)[:, -1:] for part in (weight, weight * logs))
    entropy: NDArray[np.float64] = np.log(total) - mean / total
    return entropy
