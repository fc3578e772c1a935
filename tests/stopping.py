"""Parts of the toy pair that signal their own process, or end it, when they have been called so many times."""

from __future__ import annotations

import os
from typing import Any

import torch
from attrs import evolve
from torch import Tensor
from toy import BumpData, Bumps, LabelPoints, Locate, LocateSettings

from jointtask import hookimpl
from jointtask.api import Component, NoSettings, PanelComponent
from jointtask.testing.trial import accuracy, accuracy_metric

CALLS: dict[str, int] = {}
"""Calls of a part, by its name, until it sends the signal."""

SIGNAL = [0]
"""The number of the signal."""


def arm(part: str, calls: int, number: int) -> None:
    """Have a part send a signal to this process on its n-th call from now."""
    CALLS.clear()
    CALLS[part] = calls
    SIGNAL[0] = number


def _called(part: str) -> None:
    if part not in CALLS:
        return
    CALLS[part] -= 1
    if CALLS[part] == 0:
        os.kill(os.getpid(), SIGNAL[0])


if "STOP_PART" in os.environ and os.environ.get("RANK", "0") == os.environ.get("STOP_RANK", "0"):
    arm(os.environ["STOP_PART"], int(os.environ["STOP_CALLS"]), int(os.environ["STOP_SIGNAL"]))


class StoppingLocate(Locate):
    def forward(self, batch: Any) -> Tensor:
        _called("upstream")
        return super().forward(batch)


class StoppingLabel(LabelPoints):
    def forward(self, inputs: Tensor) -> Tensor:
        _called("downstream")
        return super().forward(inputs)


class Prepared:
    """A proposal term that prepares something, which is cached, and prefers nothing."""

    prepares = True
    version = "1"

    def prepare(self, example: Any) -> Any:
        _called("prepare")
        return torch.zeros(1).numpy()

    def log_weight(self, batch: Any, references: Tensor, history: Any) -> Tensor:
        return torch.zeros(references.shape[:2], dtype=torch.float64)


def _score(prediction: Tensor, example: Any) -> float:
    _called("score")
    return accuracy(prediction, example)


@hookimpl
def jointtask_tasks() -> list[Component]:
    return [
        Component("stopping-locate", LocateSettings, lambda s, c: StoppingLocate(s.dropout), "where the bump lies"),
        Component("stopping-label", NoSettings, lambda s, c: StoppingLabel(), "which samples belong to it"),
    ]


@hookimpl
def jointtask_datasets() -> list[Component]:
    def build(settings: BumpData, context: Any) -> Bumps:
        _called("data")
        return Bumps(settings)

    return [Component("stopping-bumps", BumpData, build, "bumps in noise")]


@hookimpl
def jointtask_metrics() -> list[Component]:
    build = lambda settings, context: evolve(accuracy_metric(settings, context), score=_score)  # noqa: E731
    return [Component("stopping-accuracy", NoSettings, build, "share of samples labelled right")]


@hookimpl
def jointtask_panels() -> list[PanelComponent]:
    def draw(data: Any) -> list[Any]:
        _called("panel")
        return []

    return [PanelComponent("stopping-panels", NoSettings, lambda s, c: draw, "none", bridge="toy-interval")]


@hookimpl
def jointtask_run_finished(record: Any) -> None:
    _called("observer")


@hookimpl
def jointtask_proposal_terms() -> list[Component]:
    return [Component("prepared", NoSettings, lambda settings, context: Prepared(), "nothing preferred")]
