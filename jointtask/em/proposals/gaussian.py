"""The Gaussian proposal term: where an example's own optima have been (Eq. 8)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from jointtask.api.grid import LatentGrid
from jointtask.api.proposal import History
from jointtask.api.task import Batch

__all__ = ["GaussianTerm"]


class GaussianTerm:
    """N(reference | mu_i, Sigma_i), with the mean and covariance of example i's optima in the previous rounds.

    With no previous optimum, mu is no adjustment and Sigma is ``cold_variance * I``; afterwards Sigma is the covariance
    of the optima plus ``widening * I``, so that it never collapses (Wang et al., NIPS 2014, Eq. 8).

    Parameters
    ----------
    grid : LatentGrid
        Grid, which tells the coordinates that are rings.
    cold_variance : float
        Variance before there is a history, in squared frame units.
    widening : float
        Variance added to the covariance of the history, in squared frame units.
    """

    version = "1"
    prepares = False

    def __init__(self, grid: LatentGrid, cold_variance: float, widening: float) -> None:
        self._grid = grid
        self._cold_variance = cold_variance
        self._widening = widening

    def prepare(self, example: Mapping[str, Tensor]) -> None:
        """Have nothing to prepare."""

    def log_weight(self, batch: Batch, reference: Tensor, history: History) -> Tensor:
        """Return the log density up to a constant, (B, N), float64."""
        identity = torch.eye(history.mean.shape[1], dtype=torch.float64)
        cold = (history.count == 0)[:, None, None]
        covariance = torch.where(cold, self._cold_variance * identity, history.covariance + self._widening * identity)
        # The same bits for any batch size: NumPy inverts a stack one matrix after another, and sums go by coordinate.
        precision = torch.from_numpy(np.linalg.inv(covariance.numpy()))
        delta = self._grid.difference(reference.to("cpu", torch.float64), history.mean[:, None])
        exponent = torch.zeros(delta.shape[:2], dtype=torch.float64)
        for i in range(delta.shape[2]):
            for j in range(delta.shape[2]):
                exponent += delta[..., i] * delta[..., j] * precision[:, i, j, None]
        return -0.5 * exponent
