"""The conformance checks: right parts pass, wrong ones are caught with a message that says what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy import BumpData, Bumps, Interval, IntervalSettings, LabelPoints, Locate

from jointtask.testing import check_bridge, check_task

BATCH = Bumps(BumpData()).batch(range(5))


def test_the_toy_pair_conforms() -> None:
    bridge = Interval(IntervalSettings())
    check_task(Locate(), BATCH, bridge.base(BATCH))
    condition = bridge.condition(BATCH, bridge.base(BATCH)[:, None])
    check_task(LabelPoints(), condition.input, condition.target)
    check_bridge(bridge, BATCH, LabelPoints())


class Averaged(Locate):
    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().energy(prediction, target).mean()


class Coupled(Locate):
    def forward(self, batch: Any) -> Tensor:
        return super().forward(batch) + batch["values"].mean()


class Dead(Locate):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(2, 2)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"all": list(self.parameters())}


class Ungrouped(Locate):
    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"out": list(self.out.parameters())}


class AveragedLoss(Locate):
    def training_loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).square().mean()


class OwnLoss(Locate):
    """A branch that only learning needs, as deep supervision has."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Linear(2, 2)

    def training_loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        return self.energy(prediction, target) + self.energy(self.branch(prediction), target)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"all": list(self.parameters())}


def test_what_only_the_loss_trains_counts_as_trained() -> None:
    check_task(OwnLoss(), BATCH, Interval(IntervalSettings()).base(BATCH))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (AveragedLoss, r"training_loss has the shape \(\); expected one number an example"),
        (Averaged, "one number an example"),
        (Coupled, "depends on the others"),
        (Dead, "no gradient reaches: unused"),
        (Ungrouped, "in no parameter group: hidden"),
    ],
)
def test_a_wrong_task_is_caught(task: type[Locate], message: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(AssertionError, match=message):
        check_task(task(), BATCH, Interval(IntervalSettings()).base(BATCH))


class Scrambled(Interval):
    def condition(self, batch: Any, reference: Tensor) -> Any:
        condition = super().condition(batch, reference)
        return type(condition)(
            condition.input.flip(0), condition.target if condition.target is None else condition.target.flip(0)
        )


class Leaking(Interval):
    annotation = ("label",)

    def condition(self, batch: Any, reference: Tensor) -> Any:
        condition = super().condition(batch, reference)
        return type(condition)(condition.input, condition.input)


class Shrinking(Interval):
    def base(self, batch: Any) -> Tensor:
        base = super().base(batch)
        return torch.stack([base[:, 0], base[:, 0] + 1], dim=1)


class Wild(Interval):
    def admit(self, reference: Tensor) -> Tensor:
        return reference


@pytest.mark.parametrize(
    ("bridge", "message"),
    [
        (Scrambled, r"row b \* K \+ k"),
        (Leaking, "a target without an annotation"),
        (Shrinking, "a base reference is not usable"),
        (Wild, "admit gives an unusable reference"),
    ],
)
def test_a_wrong_bridge_is_caught(bridge: type[Interval], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_bridge(bridge(IntervalSettings()), BATCH, LabelPoints())


class Elsewhere(Interval):
    """Right on the CPU, and nowhere else: its constants stay there."""

    def restore(self, prediction: Tensor, reference: Tensor) -> Tensor:
        return super().restore(prediction, reference) * torch.ones(64)


class Returning(Interval):
    def base(self, batch: Any) -> Tensor:
        super().base(batch)
        return torch.tensor([[10.0, 30.0]]).expand(len(batch["label"]), -1)


class Flipped(Interval):
    def restore(self, prediction: Tensor, reference: Tensor) -> Tensor:
        return super().restore(prediction, reference).flip(-1)


class Peeking(Interval):
    def condition(self, batch: Any, reference: Tensor) -> Any:
        condition = super().condition(batch, reference)
        return condition if condition.target is None else condition._replace(input=condition.target)


class Erasing(Interval):
    def condition(self, batch: Any, reference: Tensor) -> Any:
        batch["values"].mul_(2)
        return super().condition(batch, reference)


class Shifting(Interval):
    def reference(self, centre: Tensor, state: Tensor) -> Tensor:
        return super().reference(centre, state) + 1


class Short(Interval):
    def condition(self, batch: Any, reference: Tensor) -> Any:
        return super().condition(batch, reference[:, :1])


class Odds(Interval):
    def restore(self, prediction: Tensor, reference: Tensor) -> Tensor:
        return super().restore(prediction, reference) + prediction.mean().abs() + 1


class Forgetful(Interval):
    def augment(self, batch: Any, reference: Tensor, random: Any) -> Any:
        augmented = super().augment(batch, reference, random)
        return augmented._replace(batch={"values": augmented.batch["values"]})


class Relocating(Interval):
    def relocate(self, frame: Tensor, reference: Tensor) -> Tensor:
        return reference[:, :1].expand(-1, 2)


class Nothing(Interval):
    def whole(self, batch: Any) -> Tensor:
        return torch.zeros(len(batch["values"]), 2)


class Turned(Interval):
    def mirror(self, maps: Tensor) -> Tensor:
        return maps.roll(1, dims=-1)


class Narrow(Interval):
    def covers(self, reference: Tensor) -> Tensor:
        return super().covers(reference).roll(20, dims=-1)


class Graded(Interval):
    def covers(self, reference: Tensor) -> Tensor:
        return super().covers(reference).float()


class Flat(Interval):
    def covers(self, reference: Tensor) -> Tensor:
        return super().covers(reference)[:, 0]


@pytest.mark.parametrize(
    ("bridge", "message"),
    [
        (Narrow, "restore is not 0 at places that covers leaves out"),
        (Graded, "covers gave torch.float32; expected torch.bool"),
        (Flat, "covers has the shape"),
        (Elsewhere, "restore fails on a batch of another device: .* expected its constants on the batch's device"),
        (Returning, r"base gives tensors on cpu for a batch on another device \('meta'\)"),
        (Flipped, "restore after condition is 0.* away from 'label' on average; expected at most 0.1"),
        (Peeking, "condition's input depends on the annotation"),
        (Erasing, "the batch given to condition was changed in place"),
        (Shifting, "no adjustment does not leave the centre as it is"),
        (Short, r"condition gives 5 rows of input; expected B \* K, 5 \* 3 = 15"),
        (Odds, r"restore leaves \[0, 1\]: from .* expected probabilities"),
        (Forgetful, "augment drops label from the batch"),
        (Relocating, "relocate gives an unusable reference"),
        (Nothing, "whole gives an unusable reference"),
        (Turned, "downstream inputs mirrored twice are other ones"),
    ],
)
def test_a_bridge_that_is_subtly_wrong_is_caught(bridge: type[Interval], message: str) -> None:
    batch = {name: tensor.clone() for name, tensor in BATCH.items()}
    right = lambda target: 20 * (2 * target - 1)  # noqa: E731
    check_bridge(Interval(IntervalSettings()), batch, LabelPoints(), perfect=right, truth="label")
    with pytest.raises(AssertionError, match=message):
        check_bridge(bridge(IntervalSettings()), batch, LabelPoints(), perfect=right, truth="label")


class Doubled(Locate):
    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {**super().parameter_groups(), "more": list(self.out.parameters())}


class Detached(Locate):
    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().energy(prediction.detach(), target)


class Restless(Locate):
    def forward(self, batch: Any) -> Tensor:
        return super().forward(batch) + torch.rand(())


class Misplaced(Locate):
    def reference(self, prediction: Tensor) -> Tensor:
        return prediction[:, :1]


class Infinite(Locate):
    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().energy(prediction, target) / 0


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Doubled, "in more than one parameter group: out.weight, out.bias"),
        (Detached, "cut off from the parameters"),
        (Restless, "two calls in evaluation mode gave different energies"),
        (Misplaced, r"reference has the shape \(5, 1\); expected \(B, D\), \(5, 2\)"),
        (Infinite, r"energy is not finite for the examples \[0, 1, 2, 3, 4\]"),
        (
            lambda: nn.Linear(2, 2),
            r"the task, Linear, has no 'energy' \(energy\(prediction, target\): return .*\(B,\).*'parameter_groups'",
        ),
        (object, "expected a torch.nn.Module, got object"),
    ],
)
def test_a_task_that_is_subtly_wrong_is_caught(task: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_task(task(), BATCH, Interval(IntervalSettings()).base(BATCH))
