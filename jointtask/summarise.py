"""From the diagnostics of n examples to the record of an E-step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from attrs import asdict
from torch import Tensor

from jointtask.latent import LatentGrid
from jointtask.record import Energy, OracleRecord, SamplerRecord

__all__ = ["summarise_estep"]


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
    oracle = None
    if bool(judged.any()):
        oracle = OracleRecord(
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
        oracle=oracle,
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
