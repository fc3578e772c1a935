"""The E-step: estimates and diagnostics, and what they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from toy import BumpData, Bumps, Interval, IntervalSettings, LabelPoints, Locate

from jointtask.api.errors import PluginError
from jointtask.api.sampler import Draws
from jointtask.em.batches import ExampleBatch
from jointtask.em.estep import EStep, Sampled, sample_batch
from jointtask.em.latents import Latents
from jointtask.em.pair import Pair
from jointtask.em.proposals.gaussian import GaussianTerm
from jointtask.em.proposals.upstream import UpstreamTerm
from jointtask.em.samplers import exhaustive, metropolis_hastings, none
from jointtask.registry.contracts import CONTRACTS

DATA = Bumps(BumpData())


def make_pair() -> Pair:
    torch.manual_seed(0)
    bridge = Interval(IntervalSettings())
    return Pair(
        upstream=Locate().eval(),
        downstream=LabelPoints().eval(),
        bridge=bridge,
        device=torch.device("cpu"),
        upstream_weight=0.02,
    )


def run(
    sampler: Any,
    rows: range = range(12),
    estimate: Literal["best", "last", "weighted"] = "best",
    draws: int = 1,
    round: int = 1,
    temperatures: Sequence[float] = (1.0,),
) -> Sampled:
    pair = make_pair()
    terms = {"gaussian": GaussianTerm(pair.bridge.grid, 20.0, 10.0)}
    oracle_ids = frozenset(DATA.ids[:3])
    checked = CONTRACTS["sampler"](sampler, "the sampler 'tried'")
    estep = EStep(checked, terms, estimate, draws, 0, oracle_ids, temperatures)
    return sample_batch(pair, estep, round, take(rows), Latents.empty(len(DATA), 1, 2))


def take(rows: range) -> ExampleBatch:
    return ExampleBatch(torch.tensor(rows), [DATA.ids[row] for row in rows], DATA.batch(rows))


CHAIN = partial(metropolis_hastings.sample, moves=20)


def test_exhaustive_finds_the_lowest_energy_and_knows_it() -> None:
    sampled = run(exhaustive.sample)
    assert torch.equal(sampled.diagnostics.regret[:3], torch.zeros(3, dtype=torch.float64))
    assert torch.allclose(sampled.diagnostics.mass[:3], torch.ones(3, dtype=torch.float64))
    assert bool(torch.isnan(sampled.diagnostics.regret[3:]).all())
    assert sampled.diagnostics.evaluated.tolist() == [25.0] * 12


def test_only_the_sampler_sees_the_temperature_of_the_round() -> None:
    seen: list[Tensor] = []

    def sampler(target: Any, random: Any) -> Draws:
        draws = exhaustive.sample(target, random)
        seen.append(draws.energy)
        return draws

    sampled = {round: run(sampler, round=round, temperatures=(8.0, 2.0, 1.0)) for round in (1, 2, 3, 4)}
    plain = run(sampler)
    for energy, temperature in zip(seen, (8, 2, 1, 1, 1), strict=True):
        assert torch.equal(energy * temperature, seen[-1])
    # The best state, and the records, are those of the energy itself.
    for tempered in sampled.values():
        kept = tempered.diagnostics._replace(effective=plain.diagnostics.effective)
        for value, expected in zip(kept, plain.diagnostics, strict=True):
            torch.testing.assert_close(value, expected, rtol=0, atol=0, equal_nan=True)
    assert bool((sampled[1].diagnostics.effective > plain.diagnostics.effective).all())  # flatter


def test_a_chain_is_no_better_than_the_oracle_and_no_worse_than_the_start() -> None:
    chain, whole = run(CHAIN).diagnostics, run(exhaustive.sample).diagnostics
    assert bool((chain.regret[:3] >= 0).all())
    lowest = whole.estimate_upstream + whole.estimate_downstream
    estimate = chain.estimate_upstream + chain.estimate_downstream
    start = chain.start_upstream + chain.start_downstream
    assert bool((lowest <= estimate + 1e-9).all())
    assert bool((estimate <= start).all())
    assert bool((chain.visited <= chain.evaluated).all())


def test_estimates_are_references_in_the_frame() -> None:
    sampled = run(CHAIN)
    base = Interval(IntervalSettings()).base(DATA.batch(range(12)))
    states = Interval(IntervalSettings()).grid.states[sampled.diagnostics.state[:, 0]]
    assert torch.equal(sampled.estimate[:, 0], base + states)
    assert torch.equal(sampled.optimum, sampled.estimate[:, 0])


def test_with_the_upstream_proposal_acceptance_depends_on_the_downstream_energy_alone() -> None:
    pair = make_pair()
    seen: list[tuple[Tensor, Tensor]] = []

    def sampler(target: Any, random: Any) -> Draws:
        every = torch.arange(25).expand(12, -1)
        seen.append((-target.energy(every) - target.log_proposal, every))
        return CHAIN(target, random)

    estep = EStep(sampler, {"upstream": UpstreamTerm(1.0)}, "best", 1, 0, frozenset())
    batch = DATA.batch(range(12))
    base = pair.bridge.base(batch)
    examples = ExampleBatch(torch.arange(12), DATA.ids[:12], batch)
    sample_batch(pair, estep, 1, examples, Latents.empty(12, 1, 2))
    reference = pair.bridge.reference(base, pair.bridge.grid.states.float())
    condition = pair.bridge.condition(batch, reference)
    with torch.no_grad():
        downstream = pair.downstream_energy(pair.predict_downstream(condition.input), condition.target).reshape(12, 25)
    log_ratio = seen[0][0]
    assert torch.allclose(log_ratio - log_ratio[:, :1], (downstream[:, :1] - downstream).double(), atol=1e-3)


def test_no_sampler_leaves_the_annotation() -> None:
    sampled = run(none.sample)
    assert torch.equal(sampled.estimate[:, 0], Interval(IntervalSettings()).base(DATA.batch(range(12))))
    assert bool((sampled.diagnostics.moved == 0).all())


def test_weighted_estimates_follow_the_weights() -> None:
    """Systematic resampling: with J draws a state of weight w comes floor(J w) or ceil(J w) times, always."""
    sampled = run(exhaustive.sample, estimate="weighted", draws=200)
    pair = make_pair()
    reference = pair.bridge.reference(pair.bridge.base(DATA.batch(range(12))), pair.bridge.grid.states.float())
    batch = DATA.batch(range(12))
    with torch.no_grad():
        upstream = pair.upstream_energy(pair.upstream(batch), reference)
        condition = pair.bridge.condition(batch, reference)
        downstream = pair.downstream.energy(pair.downstream(condition.input), condition.target).reshape(12, 25)
    energy = (upstream + downstream).double().masked_fill(~pair.bridge.usable(reference), torch.inf)
    weight = torch.softmax(-energy, dim=1)
    counts = torch.stack([torch.bincount(row, minlength=25) for row in sampled.diagnostics.state])
    assert bool(((counts - 200 * weight).abs() < 1 + 1e-3).all())


def test_an_example_does_not_depend_on_its_batch() -> None:
    whole = run(CHAIN)
    parts = [run(CHAIN, range(start, start + 4)) for start in (0, 4, 8)]
    assert torch.equal(torch.cat([part.diagnostics.state for part in parts]), whole.diagnostics.state)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda d: (d.index,), "returned tuple, not Draws"),
        (lambda d: Draws(d.index[:5], d.energy, d.log_weight), r"index of shape \(5, 25\); expected \(12, K\)"),
        (lambda d: Draws(d.index.int(), d.energy, d.log_weight), "index of torch.int32"),
        (lambda d: Draws(d.index + 1, d.energy, d.log_weight), "a state off the grid; expected 0 to 24"),
        (lambda d: Draws(d.index, d.energy * torch.nan, d.log_weight), "NaN"),
        (lambda d: Draws(d.index, d.energy[:, :3], d.log_weight), "'energy' of shape"),
    ],
)
def test_a_sampler_that_breaks_its_contract_is_named(broken: Any, message: str) -> None:
    def sampler(target: Any, random: Any) -> Any:
        return broken(exhaustive.sample(target, random))

    with pytest.raises(PluginError, match=f"the sampler 'tried' (returned )?{message}|{message}"):
        run(sampler)


def test_history_is_the_mean_and_the_covariance_of_the_optima() -> None:
    latents = Latents.empty(3, 1, 2)
    optima = torch.tensor([[10.0, 30.0], [12.0, 30.0], [17.0, 36.0]])
    grid = Interval(IntervalSettings()).grid
    for optimum in optima:
        latents.record(torch.tensor([1]), optimum[None, None], optimum[None], grid)
    centre: Tensor = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    history = latents.history(torch.tensor([0, 1]), centre)
    assert history.count.tolist() == [0, 3]
    assert history.mean[0].tolist() == [1.0, 2.0]
    assert torch.allclose(history.mean[1], optima.double().mean(dim=0))
    assert torch.allclose(history.covariance[1], torch.cov(optima.double().T, correction=0))
    assert bool((history.covariance[0] == 0).all())


def test_around_the_prediction_the_annotation_holds_the_reference() -> None:
    pair = make_pair()
    pair.bridge.annotation_scale = 3.0  # type: ignore[attr-defined]  # the toy's bridge is no frozen record
    estep = EStep(exhaustive.sample, {}, "best", 1, seed=0, oracle_ids=frozenset())
    batch = DATA.batch(range(4))
    base = pair.bridge.base(batch)
    sampled = sample_batch(pair, estep, 1, take(range(4)), Latents.empty(4, 1, 2))
    with torch.no_grad():
        predicted = pair.bridge.admit(pair.upstream(batch))
        reference = pair.bridge.reference(predicted, pair.bridge.grid.states.float())
        condition = pair.bridge.condition(batch, reference)
        downstream = pair.downstream.energy(pair.downstream(condition.input), condition.target).view(4, -1)
        energy = pair.upstream_energy(predicted, reference) + pair.downstream_weight * downstream
        energy += (reference - base[:, None]).square().sum(dim=2) / (2 * 3.0**2)
        energy[~pair.bridge.usable(reference)] = torch.inf
    best = reference[torch.arange(4), energy.argmin(dim=1)]
    torch.testing.assert_close(sampled.optimum, best)
    assert not torch.equal(predicted, base)
