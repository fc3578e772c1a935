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
        return super().forward(batch) + batch["line"].mean()


class Dead(Locate):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(2, 2)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"all": list(self.parameters())}


class Ungrouped(Locate):
    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"out": list(self.out.parameters())}


@pytest.mark.parametrize(
    ("task", "message"),
    [
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
