"""The pair of `jointtask.testing.trial` for the tests of the core: fewer examples, dropout, and names of its own."""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn

from jointtask.api import Component, NoSettings, PanelComponent, hookimpl
from jointtask.testing.trial import (
    LENGTH,
    Find,
    Interval,
    IntervalSettings,
    Mark,
    Sequences,
    SequencesSettings,
    accuracy_metric,
)


@frozen
class BumpData(SequencesSettings):
    examples: int = 48
    seed: int = 0


class Bumps(Sequences):
    pass


@frozen
class LocateSettings:
    dropout: float = 0.1


class Locate(Find):
    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)

    def forward(self, batch: Any) -> Tensor:
        return LENGTH / 2 + 10 * self.out(self.drop(torch.tanh(self.hidden(batch["values"]))))


class LabelPoints(Mark):
    pass


@hookimpl
def jointtask_tasks() -> list[Component]:
    return [
        Component("toy-locate", LocateSettings, lambda s, context: Locate(s.dropout), "where the bump lies"),
        Component("toy-label", NoSettings, lambda settings, context: LabelPoints(), "which samples belong to it"),
    ]


@hookimpl
def jointtask_bridges() -> list[Component]:
    return [Component("toy-interval", IntervalSettings, lambda s, context: Interval(s), "both ends, displaced")]


@hookimpl
def jointtask_datasets() -> list[Component]:
    return [Component("toy-bumps", BumpData, lambda settings, context: Bumps(settings), "bumps in noise")]


@hookimpl
def jointtask_metrics() -> list[Component]:
    return [Component("toy-accuracy", NoSettings, accuracy_metric, "share of samples labelled right")]


@hookimpl
def jointtask_predictors() -> list[Component]:
    return [Component("toy-nothing", NoSettings, lambda s, c: lambda example: torch.zeros(LENGTH), "no bump anywhere")]


@hookimpl
def jointtask_panels() -> list[PanelComponent]:
    return [PanelComponent("toy-panels", NoSettings, lambda s, c: lambda data: [], "none", bridge="toy-interval")]


def run_file(output: str, **tables: Any) -> str:
    """Return a run file for the pair; `tables` replace or add tables of TOML text by name."""
    known = {
        "run": f'name = "toy"\noutput = "{output}"\ndevice = "cpu"\nthreads = 1',
        "data.train": 'name = "toy-bumps"',
        "data.validation": 'name = "toy-bumps"\nexamples = 16\nseed = 1',
        "data.test": 'name = "toy-bumps"\nexamples = 16\nseed = 2',
        "upstream": 'name = "toy-locate"\noptimizer = { rate = 0.003 }',
        "downstream": 'name = "toy-label"\noptimizer = { name = "sgd", rate = 0.01 }',
        "bridge": 'name = "toy-interval"',
        "sampler": 'name = "metropolis-hastings"',
        "em": "warmup_epochs = 2\nrounds = 2\nbatch_size = 10\nestep_batch = 20\noracle_examples = 4",
        "evaluate": 'metrics = ["toy-accuracy"]\npredictors = ["toy-nothing"]',
    }
    text = "\n".join(f"[{name}]\n{body}" for name, body in {**known, **tables}.items())
    return text + '\n[[proposal]]\nname = "gaussian"\n'
