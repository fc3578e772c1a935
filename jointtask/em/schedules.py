"""The schedules of the learning rate that come with the core."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import frozen

from jointtask.api import hookimpl
from jointtask.api.component import Component, Context, NoSettings
from jointtask.api.optimizer import Schedule
from jointtask.api.setting import setting

__all__ = ["StepSchedule", "jointtask_schedules"]


@frozen
class StepSchedule:
    """Settings of the schedule `step`."""

    epochs: int = setting(10, "epochs between two steps", ge=1)
    factor: float = setting(0.1, "factor of one step", gt=0)


def _constant(settings: NoSettings, context: Context) -> Schedule:
    return lambda step, steps, steps_per_epoch: 1.0


def _cosine(settings: NoSettings, context: Context) -> Schedule:
    return lambda step, steps, steps_per_epoch: 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / max(1, steps))))


def _step(settings: StepSchedule, context: Context) -> Schedule:
    return lambda step, steps, steps_per_epoch: settings.factor ** (step // steps_per_epoch // settings.epochs)


@hookimpl
def jointtask_schedules() -> Sequence[Component]:
    """Give the schedules of the core."""
    return [
        Component("constant", NoSettings, _constant, "no change"),
        Component("cosine", NoSettings, _cosine, "half a cosine, from 1 to 0 over all epochs of the run"),
        Component("step", StepSchedule, _step, "a factor each so many epochs"),
    ]
