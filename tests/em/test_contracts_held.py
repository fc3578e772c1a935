"""What each E-step and each training step holds the parts to, and which part it names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import pytest
import torch
from optimizing import optimizer
from torch import Tensor
from toy import BumpData, Bumps, Interval, IntervalSettings, LabelPoints, Locate

from jointtask.api.bridge import Condition
from jointtask.api.errors import ConfigError, PluginError
from jointtask.api.sampler import Draws
from jointtask.em.batches import ExampleBatch
from jointtask.em.estep import EStep, sample_batch
from jointtask.em.latents import Latents
from jointtask.em.mstep import MStep, train_batch
from jointtask.em.pair import Pair
from jointtask.em.samplers import exhaustive, gibbs, metropolis_hastings, none
from jointtask.registry.contracts import CONTRACTS

DATA = Bumps(BumpData())
ROWS = range(8)
SAMPLERS = {
    "none": none.sample,
    "exhaustive": exhaustive.sample,
    "gibbs": partial(gibbs.sample, sweeps=1),
    "metropolis-hastings": partial(metropolis_hastings.sample, moves=5),
}


def batch() -> ExampleBatch:
    return ExampleBatch(torch.tensor(ROWS), [DATA.ids[row] for row in ROWS], DATA.batch(ROWS))


def make(upstream: Any = Locate, downstream: Any = LabelPoints, bridge: Any = Interval) -> Pair:
    torch.manual_seed(0)
    networks = upstream().eval(), downstream().eval()
    return Pair(*networks, bridge(IntervalSettings()), torch.device("cpu"), upstream_weight=0.02)


def sample(
    pair: Pair,
    sampler: Any = none.sample,
    terms: dict[str, Any] | None = None,
    estimate: Literal["best", "last", "weighted"] = "best",
) -> None:
    held = CONTRACTS["sampler"](sampler, "the sampler 'tried'")
    built = {name: CONTRACTS["proposal"](term, f"the term '{name}'") for name, term in (terms or {}).items()}
    estep = EStep(held, built, estimate, 1, 0, frozenset())
    sample_batch(pair, estep, 1, batch(), Latents.empty(len(DATA), 1, 2))


def learn(pair: Pair) -> None:
    optimizers = {role: optimizer(module, rate=0.01) for role, module in pair.modules.items()}
    some = batch()
    pair.train(True)
    train_batch(pair, MStep(optimizers), 0, some, Interval(IntervalSettings()).base(some.tensors)[:, None])


class Narrow(Interval):
    """Its annotation's reference is too narrow for two of the examples."""

    def base(self, batch: Any) -> Tensor:
        base = super().base(batch)
        base[2:4, 1] = base[2:4, 0]
        return base


class Infinite(Interval):
    def base(self, batch: Any) -> Tensor:
        base = super().base(batch)
        base[5, 1] = torch.inf
        return base


class Shifting(Interval):
    """No adjustment moves the reference to where it is not usable."""

    def reference(self, centre: Tensor, state: Tensor) -> Tensor:
        return super().reference(centre, state) * torch.tensor([1.0, 0.0])


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(
    ("bridge", "message"),
    [
        (Narrow, "the bridge: base gave references that are not usable for 2 of 8 examples: 0-0002, 0-0003; expected"),
        (Infinite, "the bridge: base gave references that are not usable for 1 of 8 examples: 0-0005; expected"),
        (Shifting, "the bridge: reference, at no adjustment, gave references that are not usable for 8 of 8"),
    ],
)
def test_the_reference_of_an_annotation_is_usable(bridge: Any, message: str, name: str) -> None:
    with pytest.raises(PluginError, match=message):
        sample(make(bridge=bridge), SAMPLERS[name])


class Loose(Interval):
    def augment(self, batch: Any, reference: Tensor, random: Any) -> Any:
        return batch, reference


def test_augment_gives_an_augmented() -> None:
    with pytest.raises(PluginError, match="the bridge: augment gave a tuple; expected an Augmented"):
        learn(make(bridge=Loose))


def changed(part: str) -> Callable[[Any, Any], Any]:
    """Return a sampler whose draws are changed by a function of the draws and the target."""

    def unusable(draws: Draws, target: Any) -> Draws:
        state = target.log_proposal.argmin(dim=1, keepdim=True)  # -inf: not usable
        return Draws(state, torch.full(state.shape, torch.inf).double(), torch.zeros(state.shape).double(), state > -1)

    changes: dict[str, Callable[[Draws, Any], Draws]] = {
        "unusable": unusable,
        "shifted": lambda d, target: Draws(d.index, d.energy + 1, d.log_weight, d.accepted),
        "rolled": lambda d, target: Draws(d.index, d.energy.roll(1, 1), d.log_weight, d.accepted),
        "zero": lambda d, target: Draws(d.index, torch.zeros_like(d.energy), d.log_weight, d.accepted),
        "no weight": lambda d, target: Draws(d.index, d.energy, torch.full_like(d.log_weight, -torch.inf), None),
        "weighted unusable": lambda d, target: Draws(d.index, d.energy, torch.zeros_like(d.energy), None),
    }

    def sampler(target: Any, random: Any) -> Draws:
        enumerated = part in ("weighted unusable",)
        draws = exhaustive.sample(target, random) if enumerated else SAMPLERS["metropolis-hastings"](target, random)
        return changes[part](draws, target)

    return sampler


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("unusable", r"drew 8 of 8 states of energy \+inf, which are not usable; expected"),
        ("shifted", r"gave 40 of 40 energies that are not those of their states: .*; expected target.energy\(index\)"),
        ("rolled", "energies that are not those of their states"),
        ("zero", "energies that are not those of their states: 0 for a state of energy"),
        ("no weight", "a log weight of -inf for all its draws"),
        ("weighted unusable", r"drew 8 of 200 states of energy \+inf"),
    ],
)
@pytest.mark.parametrize("estimate", ["best", "last", "weighted"])
def test_draws_are_those_of_the_target(part: str, message: str, estimate: Any) -> None:
    with pytest.raises(PluginError, match=f"the sampler 'tried' {message}|the sampler 'tried' gave .*{message}"):
        sample(make(bridge=Short), changed(part), estimate=estimate)


class Short(Interval):
    """Its last state is usable for no example, and its first for all."""

    def usable(self, reference: Tensor) -> Tensor:
        usable: Tensor = super().usable(reference)
        if reference.dim() == 3:
            usable = usable.clone()
            usable[:, -1] = False
        return usable


def test_energies_of_other_types_are_taken_with_their_rounding() -> None:
    def sampler(target: Any, random: Any) -> Draws:
        draws = SAMPLERS["metropolis-hastings"](target, random)
        return Draws(draws.index, draws.energy.float(), draws.log_weight, draws.accepted)

    sample(make(), sampler)


def test_the_last_state_of_an_enumeration_is_no_estimate() -> None:
    sample(make(bridge=Short), exhaustive.sample)
    with pytest.raises(ConfigError, match=r"sampler\.estimate = 'last' takes states of energy \+inf") as caught:
        sample(make(bridge=Short), exhaustive.sample, estimate="last")
    assert "'best' or 'weighted'" in caught.value.remedy


def writing_sampler(name: str) -> Any:
    def sampler(target: Any, random: Any) -> Draws:
        getattr(target, name).sub_(0)
        return none.sample(target, random)

    return sampler


class WritingTerm:
    version, prepares = "1", False

    def __init__(self, name: str) -> None:
        self.name = name

    def prepare(self, example: Any) -> None:
        pass

    def log_weight(self, batch: Any, reference: Tensor, history: Any) -> Tensor:
        (batch["values"] if self.name == "values" else history.mean).mul_(1)
        return torch.zeros(reference.shape[:2])


class WritingUpstream(Locate):
    def forward(self, batch: Any) -> Tensor:
        batch["values"].clamp_(max=1.0)
        return super().forward(batch)


class WritingBase(Interval):
    def base(self, batch: Any) -> Tensor:
        batch["label"].round_()
        return super().base(batch)


class WritingCondition(Interval):
    def condition(self, batch: Any, reference: Tensor) -> Condition:
        batch["values"][:, 0] = 0
        return super().condition(batch, reference)


class Through(Interval):
    """Gives the downstream task the batch's own tensor, which is not wrong."""

    def condition(self, batch: Any, reference: Tensor) -> Condition:
        return Condition(batch["values"][:, :16], super().condition(batch, reference).target)


class WritingDownstream(LabelPoints):
    def forward(self, inputs: Tensor) -> Tensor:
        inputs.mul_(1.0)
        return super().forward(inputs)


class WritingAugment(Interval):
    def augment(self, batch: Any, reference: Tensor, random: Any) -> Any:
        batch["values"].add_(0.1)
        return super().augment(batch, reference, random)


class ShiftingAugment(Interval):
    def augment(self, batch: Any, reference: Tensor, random: Any) -> Any:
        return super().augment(batch, reference.add_(1), random)


IN_PLACE: dict[str, tuple[Callable[[], None], str]] = {
    "sampler, log_proposal": (
        lambda: sample(make(), writing_sampler("log_proposal")),
        "the sampler 'tried' changed log_proposal",
    ),
    "sampler, start": (lambda: sample(make(), writing_sampler("start")), "the sampler 'tried' changed the start"),
    "term, batch": (
        lambda: sample(make(), terms={"odd": WritingTerm("values")}),
        "the term 'odd': log_weight changed values",
    ),
    "term, history": (
        lambda: sample(make(), terms={"odd": WritingTerm("history")}),
        "the term 'odd': log_weight changed the history",
    ),
    "upstream in the E-step": (
        lambda: sample(make(upstream=WritingUpstream)),
        "the upstream task: its forward pass or energy changed values",
    ),
    "base": (lambda: sample(make(bridge=WritingBase)), "the bridge: base changed label"),
    "condition in the E-step": (
        lambda: sample(make(bridge=WritingCondition)),
        "the bridge: condition changed values",
    ),
    "downstream in the E-step": (
        lambda: sample(make(bridge=Through, downstream=WritingDownstream)),
        "the downstream task: its forward pass or energy changed values",
    ),
    "augment": (lambda: learn(make(bridge=WritingAugment)), "the bridge: augment changed values"),
    "augment, reference": (lambda: learn(make(bridge=ShiftingAugment)), "the bridge: augment changed the reference"),
    "upstream in training": (
        lambda: learn(make(upstream=WritingUpstream)),
        "the upstream task: its forward pass or loss changed values",
    ),
    "condition in training": (lambda: learn(make(bridge=WritingCondition)), "the bridge: condition changed values"),
}


@pytest.mark.parametrize("case", IN_PLACE)
def test_a_part_that_writes_into_its_inputs_is_named(case: str) -> None:
    run, message = IN_PLACE[case]
    with pytest.raises(PluginError, match=f"{message} in place; expected its inputs as they were"):
        run()


def test_parts_that_keep_to_their_contract_are_left_alone() -> None:
    for sampler in SAMPLERS.values():
        sample(make(), sampler)
    sample(make(bridge=Through))
    learn(make())
