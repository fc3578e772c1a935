"""The E-step: sample the adjustment of every example, and choose what the M-step trains on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from attrs import evolve, frozen
from torch import Tensor

from jointtask.api.bridge import CentredBridge
from jointtask.api.errors import ConfigError, PluginError
from jointtask.api.proposal import ProposalTerm
from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Sampler
from jointtask.api.task import Batch
from jointtask.em.batches import ExampleBatch
from jointtask.em.diagnostics import Diagnostics, effective_draws, not_applicable, oracle, visited
from jointtask.em.finite import DATA, ENERGY, require_finite
from jointtask.em.latents import Latents
from jointtask.em.pair import Pair
from jointtask.em.presence import Presence, presence
from jointtask.em.proposal_table import log_proposal
from jointtask.em.target import NetworkTarget, Tempered
from jointtask.registry.unchanged import Unchanged
from jointtask.tools.text import listing

__all__ = ["EStep", "Sampled", "require_usable", "sample_batch"]


@frozen(eq=False)
class EStep:
    """How the adjustment is sampled.

    Attributes
    ----------
    sampler : Sampler
        The sampler that the run file names.
    terms : mapping of str to ProposalTerm
        The proposal terms that the sampler uses, by name.
    estimate : "best", "last" or "weighted"
        What the M-step trains on: the state of lowest energy visited, the start included; the last state; or `draws`
        states drawn by their weights.
    draws : int
        J, estimates an example.
    seed : int
        The run's seed.
    oracle_ids : frozenset of str
        Ids of the examples that are compared with exhaustive enumeration.
    temperatures : sequence of float
        Temperatures of rounds 1, 2, ...: the sampler sees energy / T; later rounds reuse the last.
    interrupt : callable
        Function called before each downstream forward pass; an exception that it raises ends the E-step.
    """

    sampler: Sampler
    terms: Mapping[str, ProposalTerm]
    estimate: Literal["best", "last", "weighted"]
    draws: int
    seed: int
    oracle_ids: frozenset[str]
    temperatures: Sequence[float] = (1.0,)
    interrupt: Callable[[], None] = lambda: None

    def temperature(self, round: int) -> float:
        """Return the temperature of a round, from 1."""
        return self.temperatures[min(round, len(self.temperatures)) - 1]


class Sampled(NamedTuple):
    """The outcome of the E-step for B examples, on the CPU.

    Attributes
    ----------
    estimate : Tensor, (B, J, D), float32
        The references that the M-step trains on.
    optimum : Tensor, (B, D), float32
        The reference of lowest energy visited.
    diagnostics : Diagnostics
        Diagnostics of the sampler on each example.
    """

    estimate: Tensor
    optimum: Tensor
    diagnostics: Diagnostics


def sample_batch(pair: Pair, estep: EStep, round: int, batch: ExampleBatch, latents: Latents) -> Sampled:
    """Sample the adjustment of B examples.

    Parameters
    ----------
    pair : Pair
        The networks, in evaluation mode.
    estep : EStep
        The sampler and its settings.
    round : int
        The round, from 1: the random streams and the temperature depend on it.
    batch : ExampleBatch
        The examples, with what the proposal terms prepared.
    latents : Latents
        The optima of previous rounds; not changed.

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
    grid, ids = pair.bridge.grid, batch.ids
    inputs = Unchanged(batch.tensors)
    base = pair.bridge.base(batch.tensors)
    require_usable(pair, "base", base, ids, batch.tensors)
    inputs.require(f"{pair.names['bridge']}: base")
    has = presence(pair.bridge, batch.tensors)
    reference, usable, upstream = _references(pair, batch, base, has)
    method = "reference, at no adjustment," if _annotation_scale(pair) is None else "admit"
    require_usable(pair, method, reference[:, grid.start], ids, batch.tensors)
    inputs.require(f"{pair.names['upstream']}: its forward pass or energy")
    history = evolve(latents.history(batch.positions, base), upstream=upstream)
    log_q = log_proposal(estep.terms, batch.tensors, reference, usable, history)
    target = NetworkTarget(pair, ids, batch.tensors, reference, usable, upstream, log_q, estep.interrupt)
    lacking = None if has.downstream is None else ~has.downstream.cpu()
    if lacking is not None:
        target.leave_out(lacking)
    draws = estep.sampler(Tempered(target, estep.temperature(round)), Streams(estep.seed, round, ids, "sample"))

    start = target.start[:, None]
    candidates = torch.cat([start, draws.index], dim=1)
    energies = target.energy(candidates)
    best = candidates.gather(1, energies.argmin(dim=1, keepdim=True))
    state = _choose(estep, draws, best, Streams(estep.seed, round, ids, "estimate"))
    if bool(torch.isinf(target.energy(state)).any()):
        raise ConfigError(
            f"sampler.estimate = '{estep.estimate}' takes states of energy +inf, whose references are not usable",
            cause="the last draw of a sampler that enumerates states is no sample of the posterior",
            remedy="set sampler.estimate to 'best' or 'weighted'",
        )

    seen, none = visited(candidates, len(grid)), not_applicable(len(ids))
    diagnostics = Diagnostics(
        state=state,
        start_upstream=target.upstream.gather(1, start)[:, 0],
        start_downstream=target.downstream.gather(1, start)[:, 0],
        estimate_upstream=target.upstream.gather(1, state).mean(dim=1),
        estimate_downstream=target.downstream.gather(1, state).mean(dim=1),
        visited=seen.sum(dim=1).double(),
        evaluated=target.evaluated.double(),
        moved=(state != start).double().mean(dim=1),
        acceptance=none if draws.accepted is None else draws.accepted.double().mean(dim=1),
        effective=effective_draws(draws),
        regret=none.clone(),
        mass=none.clone(),
    )
    chosen = torch.tensor([name in estep.oracle_ids for name in ids])
    enumerated = (chosen if lacking is None else chosen & ~lacking).nonzero().flatten()
    if len(enumerated):
        energy = target.energy(state)[enumerated].mean(dim=1)
        regret, mass = oracle(target.enumerate(enumerated), energy, seen[enumerated])
        diagnostics.regret[enumerated], diagnostics.mass[enumerated] = regret, mass
    if lacking is not None:
        for number in diagnostics[1:]:
            number[lacking] = torch.nan
    return Sampled(_take(reference, state).float(), _take(reference, best)[:, 0].float(), diagnostics)


def _references(pair: Pair, batch: ExampleBatch, base: Tensor, has: Presence) -> tuple[Tensor, Tensor, Tensor]:
    """Return the references of all states, (B, N, D), which are usable, and their upstream energy, (B, N) each.

    Of an example without a downstream target, no adjustment of the annotation alone is usable.
    """
    bridge, grid = pair.bridge, pair.bridge.grid
    with torch.inference_mode():
        prediction = pair.predict_upstream(batch.tensors)
        scale = _annotation_scale(pair)
        centre = base if scale is None else bridge.admit(pair.upstream.reference(prediction))
        if has.downstream is not None:
            centre = torch.where(has.downstream[:, None], centre, base)
        reference = bridge.reference(centre, grid.states.to(centre))
        usable = bridge.usable(reference)
        if has.downstream is not None:
            start = torch.arange(len(grid), device=usable.device) == grid.start
            usable = usable & (has.downstream[:, None] | start)
        upstream = pair.upstream_energy(prediction, reference)
        task = pair.names["upstream"]
        made = [
            (pair.names["data"], DATA, batch.tensors),
            (task, "its forward pass", prediction),
            (task, ENERGY, upstream),
        ]
        require_finite(upstream.sum(dim=1), batch.ids, "the upstream energy", made)
        if scale is not None:
            away = grid.difference(reference, base[:, None]).square().sum(dim=-1) / (2 * scale**2)
            upstream = upstream + (away if has.upstream is None else away * has.upstream[:, None])
    return reference, usable, upstream


def _annotation_scale(pair: Pair) -> float | None:
    """Return the scale of a bridge whose E-step adjusts the prediction; None if it adjusts the annotation."""
    return pair.bridge.annotation_scale if isinstance(pair.bridge, CentredBridge) else None


def require_usable(pair: Pair, method: str, reference: Tensor, ids: Sequence[str], batch: Batch) -> None:
    """Raise if a reference, (B, D), of the examples of a batch is not finite or not usable."""
    good = pair.bridge.usable(reference) & torch.isfinite(reference).all(dim=1)
    if bool(good.all()):
        return
    bad = [name for name, fine in zip(ids, good.tolist(), strict=True) if not fine]
    odd = [name for name, tensor in batch.items() if not bool(torch.isfinite(tensor).all())]
    if odd:
        raise PluginError(
            f"{pair.names['data']} gave {', '.join(odd)} that is not finite; expected finite numbers",
            cause=f"so the references of {len(bad)} of {len(ids)} examples are not usable: {listing(bad, 10)}",
            remedy="mend or leave out these examples",
        )
    raise PluginError(
        f"{pair.names['bridge']}: {method} gave references that are not usable for {len(bad)} of {len(ids)} examples:"
        f" {listing(bad, 10)}; expected finite ones that usable accepts",
        cause=f"the first is {[round(value, 3) for value in reference[ids.index(bad[0])].tolist()]}",
        remedy="see jointtask.api.bridge.Bridge for the contract, and look at the annotations of these examples",
    )


def _choose(estep: EStep, draws: Draws, best: Tensor, random: Streams) -> Tensor:
    """Return the states of the estimates, (B, J)."""
    if estep.estimate == "best":
        return best.expand(-1, estep.draws)
    if estep.estimate == "last":
        return draws.index[:, -1:].expand(-1, estep.draws)
    # Systematic resampling: J equally weighted draws, each expected as often as its weight says.
    cumulative = torch.softmax(draws.log_weight, dim=1).cumsum(dim=1)
    point = (random.uniform(1) + torch.arange(estep.draws)) / estep.draws * cumulative[:, -1:]
    return draws.index.gather(1, torch.searchsorted(cumulative, point, right=True))


def _take(reference: Tensor, state: Tensor) -> Tensor:
    """Return the references (B, J, D) of states (B, J), on the CPU."""
    index = state.to(reference.device).unsqueeze(-1).expand(-1, -1, reference.shape[-1])
    return reference.gather(1, index).cpu()
