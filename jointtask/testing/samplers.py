"""What every sampler must hold."""

from __future__ import annotations

import torch
from torch import Tensor

from jointtask.draws import Draws, Sampler, check_draws
from jointtask.latent import LatentGrid
from jointtask.randomness import Streams
from jointtask.testing.tables import TabulatedTarget, frequencies, posterior, total_variation

__all__ = ["check_sampler", "targets"]

CHAINS = 8000
BOUND = 0.05


def targets() -> dict[str, tuple[LatentGrid, Tensor, Tensor]]:
    """Return three small posteriors, each as grid, energy (N,) and log proposal (N,), that trip wrong samplers up.

    They are skewed, heavy at the edges of the grid, and bimodal with an unusable state; their proposals are lopsided,
    as a data-driven term makes them.
    """
    grid = LatentGrid.product([[-2.0, -1.0, 0.0, 1.0, 2.0], [-1.0, 0.0, 1.0]])
    x, y = grid.states.T
    lopsided = torch.log(1 + 0.6 * torch.sin(3 * x + 5 * y + 1))
    bimodal = torch.minimum((x + 1.5) ** 2 + y**2, (x - 1.5) ** 2 + (y - 0.5) ** 2)
    bimodal[-1] = torch.inf
    return {
        "skewed": (grid, 0.8 * x + 0.3 * y**2, lopsided),
        "edge-heavy": (grid, -0.4 * (x**2 + y**2), -lopsided),
        "bimodal": (grid, bimodal, lopsided),
    }


def check_sampler(sample: Sampler, *, exact: bool = True) -> dict[str, float]:
    """Hold a sampler to its contract on tabulated posteriors.

    Checked: shapes and types; the same streams give the same draws; an example's draws do not depend on the other
    examples; unusable states are never drawn; the target is not changed; the energies returned are those of the states.
    For an exact sampler, 8,000 draws - the last state of as many chains, or all draws where they are weighted - follow
    the posterior to a total variation of 0.05. A right sampler whose chains have come to rest is expected at most
    ``sqrt(14 / 8000) / 2 = 0.021`` away on 15 states, and fails with a probability below
    ``exp(-2 * 8000 * 0.029^2)``, 2e-6 (McDiarmid's inequality).

    Parameters
    ----------
    sample : Sampler
        With its settings bound; a chain long enough to come to rest on 15 states (100 moves are).
    exact : bool
        Whether its component says so.

    Returns
    -------
    dict of str to float
        Total variation and mean number of evaluated states, by target.

    Raises
    ------
    AssertionError
        Saying what is wrong.
    """
    seen: dict[str, float] = {}
    for name, (grid, energy, log_proposal) in targets().items():
        first, target = _sample(sample, name, grid, energy, log_proposal, range(8))
        check_draws(first, 8, len(grid), "checked")
        again, _ = _sample(sample, name, grid, energy, log_proposal, range(8))
        assert torch.equal(first.index, again.index), f"{name}: the same streams gave different draws"
        fewer, _ = _sample(sample, name, grid, energy, log_proposal, range(3, 5))
        assert torch.equal(first.index[3:5], fewer.index), f"{name}: an example's draws depend on the other examples"
        table = energy.expand(8, -1)
        assert torch.equal(target.table, table), f"{name}: the target's energies were changed"
        weighted = torch.isfinite(first.log_weight)
        drawn = table.gather(1, first.index)
        assert bool(torch.isfinite(drawn[weighted]).all()), f"{name}: an unusable state was drawn"
        assert torch.equal(first.energy, drawn), f"{name}: the energies returned are not those of the states"
        seen[f"{name}: evaluated"] = float(target.evaluated.sum(dim=1).double().mean())
        if exact:
            share = _pooled(sample, name, grid, energy, log_proposal)
            variation = total_variation(share, posterior(energy[None])[0])
            assert variation <= BOUND, (
                f"{name}: total variation {variation:.3f} from the exact posterior, at most {BOUND} expected"
            )
            seen[f"{name}: total variation"] = variation
    return seen


def _pooled(sample: Sampler, name: str, grid: LatentGrid, energy: Tensor, log_proposal: Tensor) -> Tensor:
    draws, _ = _sample(sample, name, grid, energy, log_proposal, range(CHAINS))
    if draws.accepted is not None:
        draws = Draws(draws.index[:, -1:], draws.energy[:, -1:], draws.log_weight[:, -1:])
    return frequencies(draws, len(grid))


def _sample(
    sample: Sampler, name: str, grid: LatentGrid, energy: Tensor, log_proposal: Tensor, rows: range
) -> tuple[Draws, TabulatedTarget]:
    count = len(rows)
    target = TabulatedTarget(grid, energy.expand(count, -1).clone(), log_proposal.expand(count, -1))
    return sample(target, Streams(0, 1, [f"{name} {row}" for row in rows], "check")), target
