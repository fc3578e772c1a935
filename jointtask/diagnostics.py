"""How well a sampler did, example by example."""

from __future__ import annotations

import torch
from torch import Tensor

from jointtask.draws import Draws

__all__ = ["effective_draws", "oracle", "visited"]


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
