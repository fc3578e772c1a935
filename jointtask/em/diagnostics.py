"""How well a sampler did, example by example, and in the mean over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from attrs import asdict
from torch import Tensor

from jointtask.api.grid import LatentGrid
from jointtask.api.record import Energy, OracleRecord, SamplerRecord
from jointtask.api.sampler import Draws

__all__ = ["effective_draws", "histograms", "oracle", "summarise_estep", "visited"]


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


def summarise_estep(columns: Mapping[str, Tensor], grid: LatentGrid) -> dict[str, Any]:
    """Return what an E-step fills of a `RoundRecord`, as plain values: `start`, `estimate`, `sampler`, `adjustment`.

    Parameters
    ----------
    columns : mapping of str to Tensor
        As `Sampled.columns`, (n,) each, with the states of the estimates, (n, J), under "state".
    grid : LatentGrid
        For the histograms.
    """

    def mean(name: str) -> float:
        return float(columns[name].mean())

    start = Energy(mean("start upstream"), mean("start downstream"))
    estimate = Energy(mean("estimate upstream"), mean("estimate downstream"))
    judged = ~torch.isnan(columns["regret"])
    enumerated = None
    if bool(judged.any()):
        enumerated = OracleRecord(
            examples=int(judged.sum()),
            regret=float(columns["regret"][judged].mean()),
            mass=float(columns["mass"][judged].mean()),
        )
    moves = not bool(torch.isnan(columns["acceptance"]).any())
    sampler = SamplerRecord(
        acceptance=mean("acceptance") if moves else None,
        visited=mean("visited"),
        evaluated=mean("evaluated"),
        gain=start.total - estimate.total,
        moved=mean("moved"),
        effective=mean("effective"),
        oracle=enumerated,
    )
    return {
        "start": asdict(start),
        "estimate": asdict(estimate),
        "sampler": asdict(sampler),
        "adjustment": histograms(columns["state"], grid),
    }


def histograms(state: Tensor, grid: LatentGrid) -> list[dict[str, int]]:
    """Count the levels of each coordinate over states (n, J)."""
    adjustment = grid.states[state.reshape(-1)]
    counts = []
    for d in range(grid.dimensions):
        levels = torch.unique(grid.states[:, d]).tolist()
        counts.append({f"{level:g}": int((adjustment[:, d] == level).sum()) for level in levels})
    return counts
