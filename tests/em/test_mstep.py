from __future__ import annotations

import pytest
import torch
from optimizing import optimizer
from torch import Tensor
from toy import BumpData, Bumps, Interval, IntervalSettings, LabelPoints, Locate

from jointtask.api.randomness import Streams
from jointtask.em.batches import ExampleBatch
from jointtask.em.mstep import MStep, Step, train_batch
from jointtask.em.pair import Pair

DATA = Bumps(BumpData())
BATCH = ExampleBatch(torch.arange(6), DATA.ids[:6], DATA.batch(range(6)))


class Squared(LabelPoints):
    """Learns from squared errors, and is judged by its cross entropy."""

    def training_loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction.sigmoid() - target).square().sum(dim=1)


def test_a_task_learns_from_its_training_loss_and_the_objective_keeps_its_energy() -> None:
    torch.manual_seed(0)
    downstream = Squared()
    pair = Pair(
        upstream=Locate(dropout=0.0),
        downstream=downstream,
        bridge=Interval(IntervalSettings()),
        device=torch.device("cpu"),
        upstream_weight=0.02,
        downstream_weight=3.0,
    )
    ids, batch = BATCH.ids, BATCH.tensors
    reference = pair.bridge.base(batch)[:, None]
    seen = pair.bridge.augment(batch, reference, Streams(0, 0, ids, "augment"))
    condition = pair.bridge.condition(seen.batch, seen.conditioned)
    loss = 3 * downstream.training_loss(downstream(condition.input), condition.target)
    gradients = torch.autograd.grad(loss.mean(), list(downstream.parameters()))
    expected = [(value - 0.1 * slope).detach() for value, slope in zip(downstream.parameters(), gradients, strict=True)]
    energy = 3 * downstream.energy(downstream(condition.input), condition.target)
    assert torch.equal(pair.downstream_energy(downstream(condition.input), condition.target), energy)
    upstream = pair.upstream_energy(pair.predict_upstream(seen.batch), seen.reference)

    optimizers = {role: optimizer(module, name="sgd", rate=0.1, momentum=0.0) for role, module in pair.modules.items()}
    minimised = train_batch(pair, MStep(optimizers), 0, BATCH, reference).losses

    for found, wanted in zip(downstream.parameters(), expected, strict=True):
        torch.testing.assert_close(found.detach(), wanted)
    assert minimised["downstream"] == float(loss.detach().sum())
    assert minimised["upstream"] == float(upstream.detach().sum()), "a task without a loss of its own learns by energy"


def test_a_frozen_network_is_not_run() -> None:
    torch.manual_seed(0)
    upstream, downstream = Locate(dropout=0.0), LabelPoints()
    upstream.requires_grad_(False)
    upstream.register_forward_pre_hook(lambda *_: pytest.fail("run for nothing"))
    pair = Pair(upstream, downstream, Interval(IntervalSettings()), torch.device("cpu"))
    before = [value.clone() for value in downstream.parameters()]
    optimizers = {role: optimizer(module, name="sgd", rate=0.1) for role, module in pair.modules.items()}
    minimised = train_batch(pair, MStep(optimizers), 0, BATCH, pair.bridge.base(BATCH.tensors)[:, None]).losses
    assert list(minimised) == ["downstream"]
    assert not any(torch.equal(new, old) for new, old in zip(downstream.parameters(), before, strict=True))


@pytest.mark.parametrize("size", [1, 2, 4, 5, 6, 100])
def test_gradients_of_microbatches_add_up_to_those_of_the_batch(size: int) -> None:
    """Equal but for the rounding of float32 sums; a batch that is not split is the same to the bit."""

    def trained(microbatch: int) -> tuple[Step, list[Tensor]]:
        torch.manual_seed(0)
        pair = Pair(Locate(dropout=0.0), LabelPoints(), Interval(IntervalSettings()), torch.device("cpu"), 0.02)
        optimizers = {role: optimizer(module, name="sgd", rate=0.1) for role, module in pair.modules.items()}
        mstep = MStep(optimizers, microbatch=microbatch)
        step = train_batch(pair, mstep, 0, BATCH, pair.bridge.base(BATCH.tensors)[:, None])
        return step, [value.detach() for module in pair.modules.values() for value in module.parameters()]

    (whole, expected), (parts, weights) = trained(0), trained(size)
    for one, other in zip(expected, weights, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-6)
        assert size < 6 or torch.equal(one, other)
    for role, loss in whole.losses.items():
        assert parts.losses[role] == pytest.approx(loss, rel=1e-5)
        assert parts.gradient_norms[role] == pytest.approx(whole.gradient_norms[role], rel=1e-4)
