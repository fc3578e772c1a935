"""What every sampler must hold."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from jointtask.api.errors import PluginError
from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Sampler
from jointtask.registry.contract_sampler import check_draws
from jointtask.testing.posteriors import Posterior, posteriors
from jointtask.testing.tables import TabulatedTarget, frequencies, posterior, total_variation

__all__ = ["check_sampler", "hold_sampler"]

CHAINS = 8000
VARIATION = 0.05
DEVIATIONS = 5.5
UNCHANGED = 0.5
"""Largest share of accepted moves that leave the state: on the flat posterior a right chain has about 1 in 9."""


def check_sampler(sample: Sampler, *, exact: bool = True, seed: int = 0) -> dict[str, float]:
    """Hold a sampler to its contract on tabulated posteriors.

    Checked on grids of one to four coordinates and on a ring: shapes and types; the same streams give the same draws;
    an example's draws depend neither on the other examples nor on their energies; unusable states, whose energy is
    +inf and whose log q is -inf, are never drawn, unless all states are enumerated; nothing that the target gives is
    changed; the energies returned are those of the states; a chain has zero log weights, stays where a move is not
    accepted, and does not call every move accepted.

    For an exact sampler, 8,000 draws - the last states of as many chains; all draws where they are weighted; the second
    half of draws of one weight without `accepted` - are compared with each of seven posteriors of 9 to 16 states: they
    come within a total variation of 0.05, and their mean energy within 5.5 standard errors, on each posterior and on
    all together.

    Parameters
    ----------
    sample : Sampler
        A sampler with its settings bound; a chain long enough to come to rest on 16 states (100 independent moves are).
    exact : bool
        Value of `exact` in the sampler's component.
    seed : int
        Seed of the random streams.

    Returns
    -------
    dict of str to float
        By posterior: "NAME: evaluated", the mean share of states whose energy was asked for, in [0, 1]; and for an
        exact sampler "NAME: total variation" and "NAME: deviation", the latter in standard errors of the mean energy.

    Raises
    ------
    AssertionError
        Saying what is wrong, on which posterior, and what was expected.

    Notes
    -----
    A right sampler at rest is expected at most ``sqrt(15 / 8000) / 2 = 0.022`` away on 16 states, and goes beyond 0.05
    with a probability below ``exp(-2 * 8000 * 0.028^2)``, 4e-6 (McDiarmid's inequality); it goes beyond 5.5 standard
    errors with a probability below 2e-6 (Bernstein's inequality). Over all posteriors, a right sampler fails with a
    probability below 5e-5. One that samples at 0.95 of the energy fails with a probability above 0.999.
    """
    seen: dict[str, float] = {}
    for name, table in posteriors().items():
        seen[f"{name}: evaluated"] = hold_sampler(sample, name, table, seed)
    if exact:
        deviations = [_compare(sample, name, table, seed, seen) for name, table in posteriors().items()]
        together = math.fsum(deviations) / math.sqrt(sum(deviation != 0 for deviation in deviations) or 1)
        assert abs(together) <= DEVIATIONS, (
            f"over all posteriors, the mean energy of the draws is {together:+.1f} standard errors from the exact one;"
            f" expected at most {DEVIATIONS}: the draws follow a posterior that is"
            f" {'flatter' if together > 0 else 'sharper'} than exp(-energy)"
        )
    return seen


def hold_sampler(sample: Sampler, name: str, table: Posterior, seed: int = 0) -> float:
    """Hold a sampler to all of its contract that eight examples can show.

    Parameters
    ----------
    sample : Sampler
        A sampler with its settings bound.
    name : str
        Name of the posterior, in messages.
    table : Posterior
        The posterior to sample.
    seed : int
        Seed of the random streams.

    Returns
    -------
    float
        Mean share of the states whose energy was asked for, in [0, 1].

    Raises
    ------
    AssertionError
        Saying what is wrong, and what was expected.
    """
    first, target = _sample(sample, name, table, range(8), seed)
    again, _ = _sample(sample, name, table, range(8), seed)
    assert torch.equal(first.index, again.index), (
        f"{name}: the same streams gave different draws; expected all random numbers to come from 'random'"
    )
    fewer, _ = _sample(sample, name, table, range(3, 5), seed)
    assert torch.equal(first.index[3:5], fewer.index), (
        f"{name}: an example's draws depend on the other examples; expected the same for any batch"
    )
    offset, _ = _sample(sample, name, table, range(8), seed, others=slice(3, 5))
    assert torch.equal(first.index[3:5], offset.index[3:5]), (
        f"{name}: an example's draws depend on the energies of the others; expected only its own to be used"
    )
    weightless = (~torch.isfinite(first.log_weight)).all(dim=1).nonzero()[:, 0].tolist()
    assert not weightless, (
        f"{name}: no draw of the examples {weightless} has a finite log weight; expected at least one for each"
    )
    drawn = target.table.gather(1, first.index)
    enumerated = torch.equal(first.index.sort(dim=1).values, torch.arange(len(table.grid)).expand(len(drawn), -1))
    bad = ~torch.isfinite(drawn)
    if enumerated:
        bad &= torch.isfinite(first.log_weight)
    assert not bool(bad.any()), (
        f"{name}: an unusable state was drawn; expected none where the energy is inf (log q is -inf there)"
    )
    assert first.energy.dtype == torch.float64, f"{name}: the energies are {first.energy.dtype}; expected torch.float64"
    assert torch.equal(first.energy, drawn), (
        f"{name}: the energies returned are not those of the states; expected target.energy(index)"
    )
    if first.accepted is not None:
        _hold_chain(first, first.accepted, target, name)
    return float(target.evaluated.double().mean())


def _hold_chain(draws: Draws, accepted: Tensor, target: TabulatedTarget, name: str) -> None:
    assert accepted.dtype == torch.bool, f"{name}: 'accepted' is {accepted.dtype}; expected torch.bool"
    assert not bool(draws.log_weight.any()), (
        f"{name}: a chain has log weights other than zero; expected zeros where 'accepted' is given"
    )
    before = torch.cat([target.start[:, None], draws.index[:, :-1]], dim=1)
    changed = draws.index != before
    assert not bool((changed & ~accepted).any()), (
        f"{name}: the state changes at a move that was not accepted; expected accepted[:, k] to say whether move k was"
    )


def _compare(sample: Sampler, name: str, table: Posterior, seed: int, seen: dict[str, float]) -> float:
    """Compare many draws with the posterior; return how far their mean energy is from it, in standard errors."""
    all_draws, _ = _sample(sample, name, table, range(CHAINS), seed)
    first = _first_used(all_draws)
    draws = Draws(all_draws.index[:, first:], all_draws.energy[:, first:], all_draws.log_weight[:, first:])
    share = frequencies(draws, len(table.grid))
    right = posterior(table.energy[None])[0]
    variation = total_variation(share, right)
    wrong = "the chain is too short to come to rest, or its draws follow another distribution"
    assert variation <= VARIATION, (
        f"{name}: total variation {variation:.3f} from the exact posterior, at most {VARIATION} expected: {wrong}"
    )
    energy = torch.where(torch.isfinite(table.energy), table.energy, 0.0)
    mean = float(right @ energy)
    spread = math.sqrt(float(right @ (energy - mean).square()))
    deviation = (float(share @ energy) - mean) / spread * math.sqrt(CHAINS) if spread > 0 else 0.0
    assert abs(deviation) <= DEVIATIONS, (
        f"{name}: the mean energy of {CHAINS:,} draws is {deviation:+.1f} standard errors from that of the exact"
        f" posterior; expected at most {DEVIATIONS}: {wrong}"
    )
    if all_draws.accepted is not None and name.startswith("flat"):
        _hold_refusals(all_draws, all_draws.accepted, name)
    seen[f"{name}: total variation"] = variation
    seen[f"{name}: deviation"] = deviation
    return deviation


def _hold_refusals(draws: Draws, accepted: Tensor, name: str) -> None:
    """Require that moves which were refused are not called accepted, of chains that have come to rest."""
    if draws.index.shape[1] < 2:
        return
    last = accepted[:, -1]
    kept = float((draws.index[:, -1] == draws.index[:, -2])[last].double().mean()) if bool(last.any()) else 0.0
    assert kept <= UNCHANGED, (
        f"{name}: {100 * kept:.0f} % of the accepted moves leave the state as it was, where about 11 % propose the same"
        " state again; expected 'accepted' to be False where a move was refused"
    )


def _first_used(draws: Draws) -> int:
    """Return the first draw that is compared: the last of a chain, the second half of draws of one weight, or all."""
    count = draws.index.shape[1]
    if draws.accepted is not None:
        return count - 1
    return 0 if bool(draws.log_weight.any()) else count // 2


class _Watched(TabulatedTarget):
    """A target that knows which energies it gave, and whether they were changed."""

    def __init__(self, table: Posterior, energy: Tensor) -> None:
        super().__init__(table.grid, energy, table.log_proposal.expand(len(energy), -1))
        self.given: list[tuple[Tensor, Tensor]] = []

    def energy(self, index: Tensor) -> Tensor:
        energy = super().energy(index)
        self.given.append((energy, energy.clone()))
        return energy


def _sample(
    sample: Sampler, name: str, table: Posterior, rows: range, seed: int, *, others: slice | None = None
) -> tuple[Draws, TabulatedTarget]:
    """Call the sampler, and hold what it gives and leaves to the contract.

    With `others`, all examples outside of that slice have energies so large that whatever is computed across examples
    loses the digits of those inside.
    """
    energy = table.energy.expand(len(rows), -1).clone()
    if others is not None:
        inside = torch.zeros(len(rows), 1, dtype=torch.bool)
        inside[others] = True
        energy = torch.where(inside, energy, energy + 1e15)
    many = len(rows) == CHAINS
    target = (
        TabulatedTarget(table.grid, energy, table.log_proposal.expand(len(rows), -1))
        if many
        else _Watched(table, energy)
    )
    parts = {"log_proposal": target.log_proposal, "start": target.start, "energy": target.table}
    parts |= {"grid.states": table.grid.states}
    before = {field: tensor.clone() for field, tensor in parts.items()}
    try:
        draws = sample(target, Streams(seed, 1, [f"{name} {row}" for row in rows], "check"))
    except PluginError:  # of the registry, which has held the draws to their contract already
        raise
    except Exception as error:
        raise AssertionError(f"{name}: the sampler raised {type(error).__name__}: {error}") from error
    for field, tensor in parts.items():
        assert torch.equal(tensor, before[field]), f"{name}: the target's {field} was changed in place; expected a copy"
    for given, kept in target.given if isinstance(target, _Watched) else ():
        assert torch.equal(given, kept), (
            f"{name}: what target.energy gave was changed in place; expected it to be left as it was given"
        )
    try:
        check_draws(draws, len(rows), len(table.grid), "the sampler")
    except PluginError as error:
        raise AssertionError(f"{name}: {error.message}") from None
    return draws, target
