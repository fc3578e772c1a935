"""How well a sampler did: numbers for each example, and their means in the round's record."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from jointtask.api.grid import LatentGrid
from jointtask.api.record import Energy, OracleRecord, RoundRecord, SamplerRecord
from jointtask.api.sampler import Draws

__all__ = ["Diagnostics", "effective_draws", "histograms", "not_applicable", "oracle", "round_record", "visited"]


class Diagnostics(NamedTuple):
    """What an E-step notes of n examples: float64 tensors (n,) unless stated, NaN where a number does not apply.

    No number applies to an example without a downstream target: means are over the others.

    Attributes
    ----------
    state : Tensor, (n, J), int64
        The states of the estimates.
    start_upstream, start_downstream : Tensor
        The weighted energies at no adjustment.
    estimate_upstream, estimate_downstream : Tensor
        The weighted energies of the estimates, mean over J.
    visited, evaluated : Tensor
        Distinct states visited, and distinct states whose downstream energy was computed.
    moved : Tensor
        Share of the J estimates that differ from no adjustment.
    acceptance : Tensor
        Share of moves accepted; NaN for a sampler that makes none.
    effective : Tensor
        Effective number of draws.
    regret, mass : Tensor
        Regret and mass as in `oracle`; NaN for examples that are not enumerated.
    """

    state: Tensor
    start_upstream: Tensor
    start_downstream: Tensor
    estimate_upstream: Tensor
    estimate_downstream: Tensor
    visited: Tensor
    evaluated: Tensor
    moved: Tensor
    acceptance: Tensor
    effective: Tensor
    regret: Tensor
    mass: Tensor

    @classmethod
    def empty(cls, examples: int, draws: int) -> Diagnostics:
        """Make room for n examples of J estimates."""
        numbers = [torch.zeros(examples, dtype=torch.float64) for _ in cls._fields[1:]]
        return cls(torch.zeros(examples, draws, dtype=torch.int64), *numbers)

    def write(self, index: Tensor, values: Diagnostics) -> None:
        """Write the diagnostics of the examples at positions `index`, (B,), in place."""
        for own, value in zip(self, values, strict=True):
            own[index] = value


def not_applicable(examples: int) -> Tensor:
    """Return a diagnostic that no example has: NaN, (n,)."""
    return torch.full((examples,), torch.nan, dtype=torch.float64)


def visited(index: Tensor, states: int) -> Tensor:
    """Return which states were visited: (B, K) indices to a (B, N) mask."""
    mask = torch.zeros(len(index), states, dtype=torch.bool)
    return mask.scatter_(1, index, True)


def effective_draws(draws: Draws) -> Tensor:
    """Return the effective number of draws of each example, (B,), between 1 and K.

    Of weighted draws, Kish's ``1 / sum(w^2)``. Of a chain, ``K / (1 + 2 sum(rho_k))`` over the autocorrelations of the
    energy up to the first negative one (after Geyer, Statistical Science 1992, by single lags); a chain that never
    changed its energy counts as one draw.
    """
    count = draws.index.shape[1]
    if draws.accepted is None:
        weight = torch.softmax(draws.log_weight, dim=1)
        return 1 / weight.square().sum(dim=1)
    centred = draws.energy - draws.energy.mean(dim=1, keepdim=True)
    variance = centred.square().sum(dim=1)
    # Autocorrelations as the inverse transform of the power spectrum, padded so that the chain does not wrap around.
    power = torch.fft.rfft(centred, n=2 * count, dim=1).abs().square()
    rho = torch.fft.irfft(power, n=2 * count, dim=1)[:, 1:count] / variance.clamp(min=1e-300)[:, None]
    positive = (rho > 0).to(torch.float64).cumprod(dim=1)
    effective = count / (1 + 2 * (rho * positive).sum(dim=1))
    return torch.where(variance > 0, effective.clamp(1, count), 1.0)


def oracle(energy: Tensor, estimate: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Compare a sampler with exhaustive enumeration.

    Parameters
    ----------
    energy : Tensor, (B, N), float64
        Energies of all states.
    estimate : Tensor, (B,), float64
        Energy of the estimate.
    seen : Tensor, (B, N), bool
        States visited.

    Returns
    -------
    regret, mass : Tensor, (B,)
        Energy above the optimum, and posterior probability of the states visited.
    """
    posterior = torch.softmax(-energy, dim=1)
    return estimate - energy.amin(dim=1), (posterior * seen).sum(dim=1)


def round_record(round: int, diagnostics: Diagnostics, grid: LatentGrid) -> RoundRecord:
    """Return the record of a round whose E-step is done; its `training` and `validation` are empty.

    Parameters
    ----------
    round : int
        The round, from 1.
    diagnostics : Diagnostics
        Diagnostics of all examples.
    grid : LatentGrid
        The grid of adjustments, for the histograms.
    """

    def mean(values: Tensor) -> float:
        return float(values[~torch.isnan(values)].mean())

    start = Energy(mean(diagnostics.start_upstream), mean(diagnostics.start_downstream))
    estimate = Energy(mean(diagnostics.estimate_upstream), mean(diagnostics.estimate_downstream))
    enumerated = ~torch.isnan(diagnostics.regret)
    comparison = None
    if bool(enumerated.any()):
        comparison = OracleRecord(
            examples=int(enumerated.sum()),
            regret=mean(diagnostics.regret[enumerated]),
            mass=mean(diagnostics.mass[enumerated]),
        )
    moves = not bool(torch.isnan(diagnostics.acceptance).all())
    sampler = SamplerRecord(
        acceptance=mean(diagnostics.acceptance) if moves else None,
        visited=mean(diagnostics.visited),
        evaluated=mean(diagnostics.evaluated),
        gain=start.total - estimate.total,
        moved=mean(diagnostics.moved),
        effective=mean(diagnostics.effective),
        oracle=comparison,
    )
    adjustment = tuple(histograms(diagnostics.state[~torch.isnan(diagnostics.moved)], grid))
    return RoundRecord(round=round, start=start, estimate=estimate, sampler=sampler, adjustment=adjustment)


def histograms(state: Tensor, grid: LatentGrid) -> list[dict[str, int]]:
    """Count the levels of each coordinate over states (n, J)."""
    adjustment = grid.states[state.reshape(-1)]
    counts = []
    for d in range(grid.dimensions):
        levels = torch.unique(grid.states[:, d]).tolist()
        counts.append({f"{level:g}": int((adjustment[:, d] == level).sum()) for level in levels})
    return counts
