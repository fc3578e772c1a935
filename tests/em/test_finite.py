"""Where a number is not finite, the examples are named, and the part that gave the first such number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from optimizing import optimizer
from torch import Tensor
from toy import BumpData, Bumps, Interval, IntervalSettings, LabelPoints, Locate

from jointtask.api.bridge import Condition
from jointtask.em.batches import ExampleBatch
from jointtask.em.estep import EStep, sample_batch
from jointtask.em.finite import NonFiniteError
from jointtask.em.latents import Latents
from jointtask.em.mstep import MStep, train_batch
from jointtask.em.pair import Pair
from jointtask.em.samplers import exhaustive

DATA = Bumps(BumpData())
ROWS = range(8)
HIGH_RATE = "a learning rate that is too high"


class LostEnergy(LabelPoints):
    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().energy(prediction, target).log() * torch.nan


class LostPrediction(LabelPoints):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) / 0


class LostUpstream(Locate):
    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (-1 - super().energy(prediction, target)).log()


class LostLocation(Locate):
    def forward(self, batch: Any) -> Tensor:
        return super().forward(batch) * torch.inf


class Overflowing(LabelPoints):
    """A prediction that is finite and so large that the energy is not."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) * 1e30

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return prediction.square().sum(dim=1)


class LostCondition(Interval):
    def condition(self, batch: Any, reference: Tensor) -> Condition:
        condition = super().condition(batch, reference)
        return Condition(condition.input * torch.nan, condition.target)


def make(upstream: Any = Locate, downstream: Any = LabelPoints, bridge: Any = Interval) -> Pair:
    torch.manual_seed(0)
    return Pair(upstream().eval(), downstream().eval(), bridge(IntervalSettings()), torch.device("cpu"))


def batch(poison: str = "") -> ExampleBatch:
    tensors = DATA.batch(ROWS)
    if poison:
        tensors[poison][3] = torch.nan
    return ExampleBatch(torch.tensor(ROWS), [DATA.ids[row] for row in ROWS], tensors)


def learn(pair: Pair, batch: ExampleBatch) -> None:
    pair.train(True)
    optimizers = {role: optimizer(module, rate=0.01) for role, module in pair.modules.items()}
    base = Interval(IntervalSettings()).base(DATA.batch(ROWS))
    train_batch(pair, MStep(optimizers), 0, batch, base[:, None])


def sample(pair: Pair, batch: ExampleBatch) -> None:
    estep = EStep(exhaustive.sample, {}, "best", 1, 0, frozenset())
    sample_batch(pair, estep, 1, batch, Latents.empty(len(DATA), 1, 2))


@pytest.mark.parametrize("step", [learn, sample])
@pytest.mark.parametrize(
    ("parts", "poison", "what", "cause"),
    [
        ({"downstream": LostEnergy}, "", "the downstream", "the downstream task: energy is not finite, and"),
        ({"downstream": LostPrediction}, "", "the downstream", "the downstream task: its forward pass gave"),
        ({"downstream": Overflowing}, "", "the downstream", HIGH_RATE),
        ({"upstream": LostUpstream}, "", "the upstream", "the upstream task: energy is not finite, and the prediction"),
        ({"upstream": LostLocation}, "", "the upstream", "the upstream task: its forward pass gave the first"),
        ({"bridge": LostCondition}, "", "the downstream", "the bridge: condition gave the first"),
        ({}, "values", "the upstream", "the data set gave what is not finite"),
    ],
)
def test_the_part_at_fault_is_named(
    parts: dict[str, Any], poison: str, what: str, cause: str, step: Callable[[Pair, ExampleBatch], None]
) -> None:
    with pytest.raises(NonFiniteError, match=f"{what} .* is not finite for . of 8 examples: 0-000") as caught:
        step(make(**parts), batch(poison))
    assert cause in caught.value.cause


def test_the_examples_are_named() -> None:
    with pytest.raises(NonFiniteError, match="the upstream energy is not finite for 1 of 8 examples: 0-0003"):
        sample(make(), batch("values"))
