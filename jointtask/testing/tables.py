"""A posterior given as a table, which samplers can be judged by exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from jointtask.api.grid import LatentGrid
from jointtask.api.sampler import Draws
from jointtask.em.target import set_states

__all__ = ["TabulatedTarget", "frequencies", "posterior", "total_variation"]


class TabulatedTarget:
    """A `jointtask.em.target.Target` whose energies are known.

    Parameters
    ----------
    grid : LatentGrid
        Grid of N states.
    energy : Tensor, (B, N), float64
        Energy of every state; +inf on unusable ones.
    log_proposal : Tensor, (B, N), float64, optional
        Unnormalised log q; uniform over the usable states by default.

    Attributes
    ----------
    evaluated : Tensor, (B, N), bool
        The states that have been asked for.
    """

    def __init__(self, grid: LatentGrid, energy: Tensor, log_proposal: Tensor | None = None) -> None:
        usable = torch.isfinite(energy)
        raw = torch.zeros_like(energy) if log_proposal is None else log_proposal
        self.grid = grid
        self.log_proposal = torch.log_softmax(raw.masked_fill(~usable, -torch.inf), dim=1)
        self.start = torch.full((len(energy),), grid.start)
        self.table = energy
        self.evaluated = torch.zeros_like(usable)

    def energy(self, index: Tensor) -> Tensor:
        """Return the energies (B, K) of states (B, K)."""
        set_states(self.evaluated, index)
        return self.table.gather(1, index)


def posterior(energy: Tensor) -> Tensor:
    """Return ``exp(-energy)``, (B, N), normalised over the states."""
    return torch.softmax(-energy, dim=1)


def frequencies(draws: Draws, states: int) -> Tensor:
    """Return the weighted share of each state among the draws of all examples together, (N,)."""
    weight = torch.softmax(draws.log_weight, dim=1)
    share = torch.zeros(states, dtype=torch.float64)
    share.index_add_(0, draws.index.reshape(-1), weight.reshape(-1))
    return share / len(draws.index)


def total_variation(p: Tensor, q: Tensor) -> float:
    """Return half the summed absolute difference of two distributions, (N,) each: 0 is equal, 1 disjoint."""
    return float(0.5 * (p - q).abs().sum())
