"""What every sampler must hold."""

from __future__ import annotations

import torch
from torch import Tensor

from jointtask.api.errors import PluginError
from jointtask.api.grid import LatentGrid
from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Sampler
from jointtask.registry.contracts import check_draws
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
    examples; unusable states, whose energy is +inf and whose log q is -inf, are never drawn; nothing that the target
    gives is changed; the energies returned are those of the states. For an exact sampler, 8,000 draws - the last state
    of as many chains, or all draws where they are weighted - follow the posterior to a total variation of 0.05. A right
    sampler whose chains have come to rest is expected at most ``sqrt(14 / 8000) / 2 = 0.021`` away on 15 states, and
    fails with a probability below ``exp(-2 * 8000 * 0.029^2)``, 2e-6 (McDiarmid's inequality), on each target.

    Parameters
    ----------
    sample : Sampler
        With its settings bound; a chain long enough to come to rest on 15 states (100 independent moves are).
    exact : bool
        Whether its component says so.

    Returns
    -------
    dict of str to float
        By target: "NAME: evaluated", the mean number of states whose energy was asked for, of 15; and for an exact
        sampler "NAME: total variation".

    Raises
    ------
    AssertionError
        Saying what is wrong, on which target, and what was expected.
    """
    seen: dict[str, float] = {}
    for name, (grid, energy, log_proposal) in targets().items():
        first, target = _sample(sample, name, grid, energy, log_proposal, range(8))
        again, _ = _sample(sample, name, grid, energy, log_proposal, range(8))
        assert torch.equal(first.index, again.index), (
            f"{name}: the same streams gave different draws; expected all random numbers to come from 'random'"
        )
        fewer, _ = _sample(sample, name, grid, energy, log_proposal, range(3, 5))
        assert torch.equal(first.index[3:5], fewer.index), (
            f"{name}: an example's draws depend on the other examples; expected the same for any batch"
        )
        weighted = torch.isfinite(first.log_weight)
        drawn = target.table.gather(1, first.index)
        assert bool(torch.isfinite(drawn[weighted]).all()), (
            f"{name}: an unusable state was drawn; expected none where the energy is inf (log q is -inf there)"
        )
        assert torch.equal(first.energy, drawn), (
            f"{name}: the energies returned are not those of the states; expected target.energy(index)"
        )
        seen[f"{name}: evaluated"] = float(target.evaluated.sum(dim=1).double().mean())
    for name, (grid, energy, log_proposal) in targets().items() if exact else ():
        share = _pooled(sample, name, grid, energy, log_proposal)
        variation = total_variation(share, posterior(energy[None])[0])
        assert variation <= BOUND, (
            f"{name}: total variation {variation:.3f} from the exact posterior, at most {BOUND} expected:"
            " the chain is too short for 15 states, or its draws follow another distribution"
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
    """Call the sampler, and hold what it gives and leaves to the contract."""
    count = len(rows)
    target = TabulatedTarget(grid, energy.expand(count, -1).clone(), log_proposal.expand(count, -1))
    given = {"log_proposal": target.log_proposal, "start": target.start, "energy": target.table}
    given |= {"grid.states": grid.states}
    before = {part: tensor.clone() for part, tensor in given.items()}
    draws = sample(target, Streams(0, 1, [f"{name} {row}" for row in rows], "check"))
    for part, tensor in given.items():
        assert torch.equal(tensor, before[part]), f"{name}: the target's {part} was changed in place; expected a copy"
    try:
        check_draws(draws, count, len(grid), "the sampler")
    except PluginError as error:
        raise AssertionError(f"{name}: {error.message}") from None
    return draws, target
