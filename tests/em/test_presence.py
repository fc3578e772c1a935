"""Examples that lack one of their two annotations: what is summed, what is sampled, and what is noted."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from optimizing import optimizer
from torch import Tensor
from toy import BumpData, Bumps, Interval, IntervalSettings, LabelPoints, Locate

from jointtask.api.grid import LatentGrid
from jointtask.em.batches import ExampleBatch
from jointtask.em.diagnostics import round_record
from jointtask.em.estep import EStep, Sampled, sample_batch
from jointtask.em.latents import Latents
from jointtask.em.mstep import MStep, train_batch
from jointtask.em.pair import Pair
from jointtask.em.proposals.gaussian import GaussianTerm
from jointtask.em.samplers import exhaustive, gibbs, metropolis_hastings, none

DATA = Bumps(BumpData())
ROWS = range(8)
FOUND = torch.tensor([True, True, False, True, True, True, False, True])
LABELLED = torch.tensor([True, False, True, True, False, True, True, True])


class Partial(Interval):
    """An interval whose ends or labels may be lacking."""

    present = ("found", "labelled")


class Centred(Partial):
    """The same, adjusted around the prediction."""

    annotation_scale = 4.0


def make_pair(bridge: type[Interval] = Partial) -> Pair:
    torch.manual_seed(0)
    return Pair(
        upstream=Locate(dropout=0.0).eval(),
        downstream=LabelPoints().eval(),
        bridge=bridge(IntervalSettings()),
        device=torch.device("cpu"),
        upstream_weight=0.02,
    )


def take(rows: Any = ROWS, **flags: Tensor) -> ExampleBatch:
    rows = list(rows)
    tensors = {**DATA.batch(rows), **{name: flag[rows] for name, flag in flags.items()}}
    return ExampleBatch(torch.tensor(rows), [DATA.ids[row] for row in rows], tensors)


def trained(batch: ExampleBatch, pair: Pair) -> tuple[dict[str, float], list[Tensor]]:
    pair.train(True)
    optimizers = {role: optimizer(module, name="sgd", rate=0.1, momentum=0.0) for role, module in pair.modules.items()}
    losses = train_batch(pair, MStep(optimizers), 0, batch, pair.bridge.base(batch.tensors)[:, None]).losses
    return losses, [parameter.detach().clone() for module in pair.modules.values() for parameter in module.parameters()]


def test_the_m_step_sums_what_is_present() -> None:
    losses, _ = trained(take(found=FOUND, labelled=LABELLED), make_pair())
    for role, flag in (("upstream", FOUND), ("downstream", LABELLED)):
        each = [trained(take([row]), make_pair())[0][role] for row in ROWS]
        assert losses[role] == pytest.approx(
            sum(loss for loss, there in zip(each, flag, strict=True) if there), rel=1e-5
        )


def test_a_network_without_any_target_does_not_change() -> None:
    pair = make_pair()
    before = [parameter.detach().clone() for parameter in pair.downstream.parameters()]
    losses, _ = trained(take(labelled=torch.zeros(8, dtype=torch.bool)), pair)
    assert losses["downstream"] == 0
    for old, new in zip(before, pair.downstream.parameters(), strict=True):
        assert torch.equal(old, new)


@pytest.mark.parametrize("flags", [{}, {"found": torch.ones(8, dtype=torch.bool)}, {"labelled": LABELLED | True}])
def test_a_batch_that_lacks_nothing_trains_as_without_flags_to_the_bit(flags: dict[str, Tensor]) -> None:
    losses, weights = trained(take(), make_pair(Interval))
    same, also = trained(take(**flags), make_pair())
    assert losses == same
    for one, other in zip(weights, also, strict=True):
        assert torch.equal(one, other)


SAMPLERS = {
    "metropolis-hastings": partial(metropolis_hastings.sample, moves=20),
    "exhaustive": exhaustive.sample,
    "gibbs": partial(gibbs.sample, sweeps=3),
    "none": none.sample,
}


def sampled(sampler: Any, bridge: type[Interval], batch: ExampleBatch, **how: Any) -> tuple[Pair, Sampled]:
    pair = make_pair(bridge)
    terms = {"gaussian": GaussianTerm(pair.bridge.grid, 20.0, 10.0)}
    settings = {"estimate": "best", "draws": 1, "oracle_ids": frozenset(DATA.ids), **how}
    estep = EStep(sampler, terms, seed=0, **settings)
    return pair, sample_batch(pair, estep, 1, batch, Latents.empty(len(DATA), settings["draws"], 2))


@pytest.mark.parametrize("bridge", [Partial, Centred])
@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS.keys())
def test_an_example_without_a_downstream_target_stays_at_its_annotation(sampler: Any, bridge: type[Interval]) -> None:
    batch = take(labelled=LABELLED)
    pair, outcome = sampled(sampler, bridge, batch, estimate="weighted", draws=3)
    base = pair.bridge.base(batch.tensors)
    lacking = ~LABELLED
    assert torch.equal(outcome.estimate[lacking], base[lacking][:, None].expand(-1, 3, -1))
    assert torch.equal(outcome.optimum[lacking], base[lacking])
    for number in outcome.diagnostics[1:]:
        assert bool(torch.isnan(number[lacking]).all())
    _, alone = sampled(sampler, bridge, take(), estimate="weighted", draws=3)
    torch.testing.assert_close(outcome.estimate[LABELLED], alone.estimate[LABELLED])


def test_the_annotation_that_is_lacking_does_not_hold_the_prediction() -> None:
    _, whole = sampled(exhaustive.sample, Centred, take())
    _, some = sampled(exhaustive.sample, Centred, take(found=FOUND))
    start = whole.diagnostics.start_upstream, some.diagnostics.start_upstream
    assert torch.equal(start[0][FOUND], start[1][FOUND])
    assert bool((start[1][~FOUND] < start[0][~FOUND]).all())


def test_the_round_is_noted_over_the_examples_that_were_sampled() -> None:
    grid: LatentGrid = Partial(IntervalSettings()).grid
    _, outcome = sampled(SAMPLERS["metropolis-hastings"], Partial, take(labelled=LABELLED))
    _, alone = sampled(SAMPLERS["metropolis-hastings"], Partial, take([row for row in ROWS if LABELLED[row]]))
    record, expected = (round_record(1, each.diagnostics, grid) for each in (outcome, alone))
    assert record.adjustment == expected.adjustment
    for field in ("acceptance", "visited", "evaluated", "moved", "effective", "gain"):
        assert getattr(record.sampler, field) == pytest.approx(getattr(expected.sampler, field))
    assert record.sampler.oracle is not None
    assert record.sampler.oracle.examples == int(LABELLED.sum())
