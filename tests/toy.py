"""A pair of tasks in one file: where a bump in a noisy line lies, and which samples belong to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from attrs import field, frozen
from torch import Tensor, nn

from jointtask import hookimpl
from jointtask.api import (
    Augmented,
    Component,
    Condition,
    Context,
    LatentGrid,
    Metric,
    NoSettings,
    PanelComponent,
    Summary,
    derive,
)

LENGTH = 64
POINTS = 16


@frozen
class BumpData:
    examples: int = 48
    seed: int = 0


@frozen(eq=False)
class Line:
    id: str
    values: Tensor
    label: Tensor


class Bumps:
    notes: Sequence[str] = ("generated",)

    def __init__(self, settings: BumpData) -> None:
        self.ids = [f"{settings.seed}-{i:03d}" for i in range(settings.examples)]
        self.digests = [hashlib.sha256(name.encode()).hexdigest() for name in self.ids]
        self.fingerprint = hashlib.sha256("".join(self.digests).encode()).hexdigest()
        lines, labels = zip(*(self._make(name) for name in self.ids), strict=True)
        self._line, self._label = torch.stack(lines), torch.stack(labels)

    def _make(self, name: str) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng(derive(name))
        start = rng.integers(4, 30)
        stop = start + rng.integers(12, 28)
        label = torch.zeros(LENGTH)
        label[start:stop] = 1
        return label + 0.3 * torch.from_numpy(rng.standard_normal(LENGTH)).float(), label

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, index: Sequence[int]) -> dict[str, Tensor]:
        rows = list(index)
        return {"line": self._line[rows], "label": self._label[rows]}

    def example(self, index: int) -> Line:
        return Line(self.ids[index], self._line[index], self._label[index])


@frozen
class LocateSettings:
    dropout: float = 0.1


class Locate(nn.Module):
    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.hidden = nn.Linear(LENGTH, 32)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(32, 2)

    def forward(self, batch: Any) -> Tensor:
        return LENGTH / 2 + 10 * self.out(self.drop(torch.tanh(self.hidden(batch["line"]))))

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).square().sum(dim=1)

    def reference(self, prediction: Tensor) -> Tensor:
        return prediction

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"hidden": list(self.hidden.parameters()), "out": list(self.out.parameters())}


class LabelPoints(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.out(inputs[:, None])[:, 0]

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(prediction, target, reduction="none").sum(dim=1)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"all": list(self.parameters())}


@frozen
class IntervalSettings:
    levels: Sequence[float] = field(default=(-4.0, -2.0, 0.0, 2.0, 4.0))


class Interval:
    coordinates = ("start", "stop")
    units = "samples"
    keys = ("line", "label")
    annotation = ("label",)

    def __init__(self, settings: IntervalSettings) -> None:
        self.grid = LatentGrid.product([settings.levels] * 2)

    def base(self, batch: Any) -> Tensor:
        inside = batch["label"] > 0
        place = torch.arange(LENGTH, device=inside.device).expand_as(inside)
        first = torch.where(inside, place, LENGTH).amin(dim=1)
        last = torch.where(inside, place, -1).amax(dim=1) + 1
        return torch.stack([first, last], dim=1).float()

    def reference(self, centre: Tensor, state: Tensor) -> Tensor:
        return centre[:, None] + state

    def usable(self, reference: Tensor) -> Tensor:
        return reference[..., 1] - reference[..., 0] >= 4

    def admit(self, reference: Tensor) -> Tensor:
        first = reference[..., 0].clamp(0, LENGTH - 4)
        return torch.stack([first, torch.maximum(reference[..., 1].clamp(max=LENGTH), first + 4)], dim=-1)

    def condition(self, batch: Any, reference: Tensor) -> Condition:
        inputs = self._read(batch["line"], reference)
        target = None
        if "label" in batch:
            target = (self._read(batch["label"], reference) >= 0.5).float()
        return Condition(inputs, target)

    def _read(self, line: Tensor, reference: Tensor) -> Tensor:
        step = (torch.arange(POINTS, device=line.device) + 0.5) / POINTS
        at = reference[..., :1] + (reference[..., 1:] - reference[..., :1]) * step
        index = at.floor().long().clamp(0, LENGTH - 1)
        return line[:, None].expand(-1, index.shape[1], -1).gather(2, index).flatten(0, 1)

    def restore(self, prediction: Tensor, reference: Tensor) -> Tensor:
        probability = torch.sigmoid(prediction).reshape(*reference.shape[:2], POINTS)
        place = torch.arange(LENGTH, device=prediction.device) + 0.5
        first, last = reference[..., :1], reference[..., 1:]
        index = ((place - first) / (last - first) * POINTS).floor().long()
        inside = (index >= 0) & (index < POINTS)
        return probability.gather(2, index.clamp(0, POINTS - 1)) * inside

    def finish(self, frame: Tensor, reference: Tensor, example: Line) -> Tensor:
        return frame

    def augment(self, batch: Any, reference: Tensor, random: Any) -> Augmented:
        noise = 0.05 * random.normal(LENGTH).to(batch["line"])
        return Augmented({**batch, "line": batch["line"] + noise}, reference, reference)


def _accuracy(prediction: Tensor, example: Line) -> float:
    return float(((prediction >= 0.5).float() == example.label).double().mean())


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
    def build(settings: NoSettings, context: Context) -> Metric:
        mean = Summary("share of samples labelled right, in [0, 1]", "higher", lambda scores: float(scores.mean()))
        return Metric(_accuracy, {"accuracy": mean})

    return [Component("toy-accuracy", NoSettings, build, "share of samples labelled right")]


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
