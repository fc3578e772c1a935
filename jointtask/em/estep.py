"""The E-step: sample the adjustment of every example, and choose what the M-step trains on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from attrs import frozen
from torch import Tensor

from jointtask.api.bridge import CentredBridge
from jointtask.api.proposal import History, ProposalTerm
from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Sampler
from jointtask.api.task import Batch
from jointtask.em.diagnostics import effective_draws, oracle, visited
from jointtask.em.pair import Pair
from jointtask.em.proposal_table import log_proposal
from jointtask.em.target import NetworkTarget, Tempered

__all__ = ["EStep", "Sampled", "sample_batch"]


@frozen(eq=False)
class EStep:
    """How the adjustment is sampled.

    Attributes
    ----------
    sampler : Sampler
        The function.
    terms : mapping of str to ProposalTerm
        The proposal terms that it uses, by name.
    estimate : "best", "last" or "weighted"
        Lowest energy visited, the start included; last state; or `draws` states drawn by their weights.
    draws : int
        J, estimates an example.
    seed : int
        The run's.
    oracle_ids : frozenset of str
        The examples that are compared with exhaustive enumeration.
    temperatures : sequence of float
        What divides the energy that the sampler sees in rounds 1, 2, ...; the last stays.
    """

    sampler: Sampler
    terms: Mapping[str, ProposalTerm]
    estimate: Literal["best", "last", "weighted"]
    draws: int
    seed: int
    oracle_ids: frozenset[str]
    temperatures: Sequence[float] = (1.0,)

    def temperature(self, round: int) -> float:
        """Return that of a round, from 1."""
        return self.temperatures[min(round, len(self.temperatures)) - 1]


class Sampled(NamedTuple):
    """What the E-step found for B examples.

    Attributes
    ----------
    estimate : Tensor, (B, J, D), float32
        The references that the M-step trains on.
    optimum : Tensor, (B, D), float32
        The reference of lowest energy visited.
    state : Tensor, (B, J), int64
        The states of the estimates.
    columns : dict of str to Tensor, (B,), float64
        Diagnostics by name; NaN where one does not apply to an example.
    """

    estimate: Tensor
    optimum: Tensor
    state: Tensor
    columns: dict[str, Tensor]


def sample_batch(
    pair: Pair,
    how: EStep,
    round: int,
    ids: Sequence[str],
    batch: Batch,
    history: History,
    base: Tensor,
    pause: Callable[[], None] = lambda: None,
) -> Sampled:
    """Sample the adjustment of B examples.

    Parameters
    ----------
    pair : Pair
        The networks, in evaluation mode.
    how : EStep
        The sampler and its settings.
    round : int
        The round, for the random streams.
    ids : sequence of B str
        The examples.
    batch : Batch
        The same, on the pair's device, unaugmented, with what the proposal terms prepared.
    history : History
        Their previous optima.
    base : Tensor, (B, D)
        The references that their annotations imply.
    pause : callable, optional
        Called between downstream batches; what it raises comes through.

    Returns
    -------
    Sampled

    Raises
    ------
    NonFiniteError
        If a network gives an energy that is not finite.
    PluginError
        If the sampler breaks its contract.
    """
    bridge, grid = pair.bridge, pair.bridge.grid
    with torch.inference_mode():
        prediction = pair.predict_upstream(batch)
        scale = bridge.annotation_scale if isinstance(bridge, CentredBridge) else None
        centre = base if scale is None else bridge.admit(pair.upstream.reference(prediction))
        reference = bridge.reference(centre, grid.states.to(centre))
        usable = bridge.usable(reference)
        upstream = pair.upstream_energy(prediction, reference)
        if scale is not None:
            upstream = upstream + grid.difference(reference, base[:, None]).square().sum(dim=-1) / (2 * scale**2)
    log_q = log_proposal(how.terms, batch, reference, usable, history)
    target = NetworkTarget(pair, ids, batch, reference, usable, upstream, log_q, pause)
    draws = how.sampler(Tempered(target, how.temperature(round)), Streams(how.seed, round, ids, "sample"))

    start = target.start[:, None]
    candidates = torch.cat([start, draws.index], dim=1)
    energies = target.energy(candidates)
    best = candidates.gather(1, energies.argmin(dim=1, keepdim=True))
    state = _choose(how, draws, best, Streams(how.seed, round, ids, "estimate"))

    seen = visited(candidates, len(grid))
    columns = {
        "start upstream": target.upstream.gather(1, start)[:, 0],
        "start downstream": target.downstream.gather(1, start)[:, 0],
        "estimate upstream": target.upstream.gather(1, state).mean(dim=1),
        "estimate downstream": target.downstream.gather(1, state).mean(dim=1),
        "visited": seen.sum(dim=1).double(),
        "evaluated": target.evaluated.double(),
        "moved": (state != start).double().mean(dim=1),
        "acceptance": _nan(ids) if draws.accepted is None else draws.accepted.double().mean(dim=1),
        "effective": effective_draws(draws),
        "regret": _nan(ids),
        "mass": _nan(ids),
    }
    judged = torch.tensor([row for row, name in enumerate(ids) if name in how.oracle_ids], dtype=torch.int64)
    if len(judged):
        lowest = target.energy(state)[judged].mean(dim=1)
        columns["regret"][judged], columns["mass"][judged] = oracle(target.enumerate(judged), lowest, seen[judged])
    return Sampled(
        estimate=_take(reference, state).float(),
        optimum=_take(reference, best)[:, 0].float(),
        state=state,
        columns=columns,
    )


def _choose(how: EStep, draws: Draws, best: Tensor, random: Streams) -> Tensor:
    """Return the states of the estimates, (B, J)."""
    if how.estimate == "best":
        return best.expand(-1, how.draws)
    if how.estimate == "last":
        return draws.index[:, -1:].expand(-1, how.draws)
    # Systematic resampling: J equally weighted draws, each expected as often as its weight says.
    cumulative = torch.softmax(draws.log_weight, dim=1).cumsum(dim=1)
    point = (random.uniform(1) + torch.arange(how.draws)) / how.draws * cumulative[:, -1:]
    return draws.index.gather(1, torch.searchsorted(cumulative, point, right=True))


def _take(reference: Tensor, state: Tensor) -> Tensor:
    index = state.to(reference.device).unsqueeze(-1).expand(-1, -1, reference.shape[-1])
    return reference.gather(1, index).cpu()


def _nan(ids: Sequence[str]) -> Tensor:
    return torch.full((len(ids),), torch.nan, dtype=torch.float64)
