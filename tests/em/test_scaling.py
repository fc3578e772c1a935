"""The scale of the loss in float16: what it leaves as it is, what it skips, and how it goes on from a checkpoint."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
import torch
from optimizing import optimizer
from torch import Tensor
from toy import BumpData, Bumps, Interval, IntervalSettings, LabelPoints, Locate

from jointtask.api.errors import RunError
from jointtask.em.batches import ExampleBatch
from jointtask.em.latents import Latents
from jointtask.em.mstep import MStep, Step, train_batch
from jointtask.em.pair import Pair
from jointtask.em.scaling import LossScale, loss_scale
from jointtask.em.state import Checkpoint, State

DATA = Bumps(BumpData())
CPU = torch.device("cpu")


def make(precision: torch.dtype = torch.float32, downstream: Any = LabelPoints, **keys: Any) -> tuple[Pair, State]:
    torch.manual_seed(0)
    pair = Pair(Locate(0.0), downstream(), Interval(IntervalSettings()), CPU, precision=precision)
    keys = {"rate": 0.01, "clip": 1.0, **keys}
    optimizers = {role: optimizer(module, **keys) for role, module in pair.modules.items()}
    return pair, State(pair=pair, optimizers=optimizers, latents=Latents.empty(8, 1, 2), scale=LossScale(CPU))


def step(pair: Pair, state: State, scale: LossScale | None, microbatch: int = 0) -> Step:
    pair.train(True)
    batch = ExampleBatch(torch.arange(8), DATA.ids[:8], DATA.batch(range(8)))
    mstep = MStep(state.optimizers, microbatch=microbatch, scale=scale)
    return train_batch(pair, mstep, 0, batch, pair.bridge.base(batch.tensors)[:, None])


def weights(pair: Pair) -> list[Tensor]:
    return [parameter.detach().clone() for module in pair.modules.values() for parameter in module.parameters()]


@pytest.mark.parametrize("microbatch", [0, 3])
@pytest.mark.parametrize("name", ["sgd", "adamw", "rmsprop"])
def test_a_power_of_two_changes_nothing(name: str, microbatch: int) -> None:
    """Where nothing overflows or vanishes, a step is the same to the bit, clipping and norms included."""
    one, plain = make(name=name)
    two, scaled = make(name=name)
    for _ in range(4):
        expected, found = step(one, plain, None, microbatch), step(two, scaled, scaled.scale, microbatch)
        assert found.losses == expected.losses
        assert found.gradient_norms == pytest.approx(expected.gradient_norms, rel=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(weights(one), weights(two), strict=True))


class Overflowing(LabelPoints):
    """The gradient of its energy is not finite while the scale is above a bound."""

    bound = 2.0**15

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        prediction.register_hook(lambda gradient: gradient * (torch.inf if gradient.abs().sum() > self.bound else 1))
        return super().energy(prediction, target)


def test_a_network_whose_gradient_overflows_leaves_the_step_out() -> None:
    pair, state = make(downstream=Overflowing, warmup_steps=3)
    before = {role: [p.detach().clone() for p in module.parameters()] for role, module in pair.modules.items()}
    norms = step(pair, state, state.scale).gradient_norms

    def moved(role: str) -> bool:
        return not all(torch.equal(a, b) for a, b in zip(before[role], pair.modules[role].parameters(), strict=True))

    assert moved("upstream")
    assert not moved("downstream")
    assert set(norms) == {"upstream"}
    assert state.scale is not None
    assert state.scale.value == 2.0**15
    assert {optimizer.steps for optimizer in state.optimizers.values()} == {1}, "the schedule goes on"
    while not moved("downstream"):
        assert state.scale.value > 1
        norms = step(pair, state, state.scale).gradient_norms
    assert set(norms) == {"upstream", "downstream"}


def test_gradients_that_overflow_at_any_scale_end_the_run() -> None:
    class Lost(Overflowing):
        bound = 0.0

    pair, state = make(downstream=Lost)
    for _ in range(16):
        step(pair, state, state.scale)
    with pytest.raises(RunError, match="gradients in float16 are not finite, whatever the scale") as caught:
        step(pair, state, state.scale)
    assert "run.precision" in caught.value.remedy


@pytest.mark.parametrize("stop", [1, 3, 6])
def test_a_run_goes_on_from_its_checkpoint_with_its_scale(stop: int) -> None:
    whole, all_steps = make(torch.float16, Overflowing)
    part, first = make(torch.float16, Overflowing)
    for _ in range(8):
        step(whole, all_steps, all_steps.scale)
    for _ in range(stop):
        step(part, first, first.scale)
    saved = first.checkpoint()
    stored = Checkpoint(
        {name: tensor.clone() for name, tensor in saved.tensors.items()}, json.loads(json.dumps(saved.state))
    )
    later, second = make(torch.float16, Overflowing)
    second.restore(stored)
    for _ in range(8 - stop):
        step(later, second, second.scale)
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(later), strict=True))
    assert all_steps.scale is not None
    assert second.scale is not None
    assert second.scale.state() == all_steps.scale.state()
    assert second.scale.value < 2.0**16


def test_only_float16_is_scaled() -> None:
    pair, _ = make()
    assert loss_scale(pair) is None
    assert loss_scale(attrs.evolve(pair, precision=torch.bfloat16)) is None
    assert loss_scale(attrs.evolve(pair, precision=torch.float16)) is not None
