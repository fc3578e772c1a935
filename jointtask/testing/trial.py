"""A small pair of tasks to try a part of one's own on: loaded where a run file names a component `trial-...`.

A sequence of 64 noisy values has one stretch of raised ones. The upstream task finds where it begins and ends, the
downstream task says which positions inside a reference belong to it, and the adjustment moves either end. A run with it
takes seconds, and needs nothing but the core.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from attrs import frozen
from torch import Tensor, nn

from jointtask.api import (
    Augmented,
    Batch,
    Component,
    Condition,
    ConfigError,
    Context,
    LatentGrid,
    MemoryDataset,
    Metric,
    NoSettings,
    Streams,
    Summary,
    TrivialComponent,
    derive,
    hookimpl,
    setting,
)

__all__ = [
    "RUN_FILE",
    "Find",
    "Interval",
    "IntervalSettings",
    "Mark",
    "Sequences",
    "SequencesSettings",
    "accuracy",
    "accuracy_metric",
]

RUN_FILE = Path(__file__).with_name("trial.toml")
"""A run file for the pair: 8 examples, one epoch of warm-up, two rounds."""

LENGTH = 64
POINTS = 16
SHORTEST = 4


@frozen
class SequencesSettings:
    """Settings of the data set `trial-sequences`."""

    examples: int = setting(64, "number of sequences", ge=1, le=10_000_000)
    seed: int = setting(0, "seed of the generator", ge=0)


@frozen(eq=False)
class Example:
    """A sequence with its annotation: values and labels, (64,) each."""

    id: str
    values: Tensor
    label: Tensor


class Sequences(MemoryDataset):
    """Generated sequences: "values" and "label", (B, 64) each, float32; the frame is the example itself.

    Parameters
    ----------
    settings : SequencesSettings
        Number of sequences, and the seed.
    """

    def __init__(self, settings: SequencesSettings) -> None:
        ids = [f"{settings.seed}-{row:04d}" for row in range(settings.examples)]
        values, labels = zip(*map(_sequence, ids), strict=True)
        examples = [Example(*each) for each in zip(ids, values, labels, strict=True)]
        tensors = {"values": torch.stack(values), "label": torch.stack(labels)}
        super().__init__(ids, tensors, examples, annotation=["label"], notes=["generated"])


def _sequence(name: str) -> tuple[Tensor, Tensor]:
    """Return the values and the label of one sequence, (64,) each."""
    random = np.random.default_rng(derive("trial", name))
    start = int(random.integers(4, 30))
    stop = start + int(random.integers(12, 28))
    label = torch.zeros(LENGTH)
    label[start:stop] = 1
    return label + 0.3 * torch.from_numpy(random.standard_normal(LENGTH)).float(), label


class Find(nn.Module):
    """Predicts where the stretch begins and ends, with an energy of ``|prediction - target|^2``."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(LENGTH, 32)
        self.out = nn.Linear(32, 2)

    def forward(self, batch: Batch) -> Tensor:
        """Return both ends, (B, 2)."""
        ends: Tensor = LENGTH / 2 + 10 * self.out(torch.tanh(self.hidden(batch["values"])))
        return ends

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the squared distance, (B,)."""
        return (prediction - target).square().sum(dim=1)

    def reference(self, prediction: Tensor) -> Tensor:
        """Return the prediction: it is a reference."""
        return prediction

    def parameter_groups(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """Return the two layers."""
        return {"hidden": list(self.hidden.parameters()), "out": list(self.out.parameters())}


class Mark(nn.Module):
    """Says which of 16 positions inside a reference belong to the stretch, with a cross-entropy."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return log odds, (B, 16), of values (B, 16)."""
        odds: Tensor = self.out(inputs[:, None])[:, 0]
        return odds

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the cross-entropy, summed over positions, (B,)."""
        return F.binary_cross_entropy_with_logits(prediction, target, reduction="none").sum(dim=1)

    def parameter_groups(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """Return all parameters."""
        return {"all": list(self.parameters())}


@frozen
class IntervalSettings:
    """Settings of the bridge `trial-interval`."""

    levels: Sequence[float] = setting((-4.0, -2.0, 0.0, 2.0, 4.0), "displacements of each end, in positions")


class Interval:
    """Both ends of an interval, displaced.

    Parameters
    ----------
    settings : IntervalSettings
        The displacements.
    """

    coordinates = ("start", "stop")
    units = "positions"
    keys = ("values", "label")
    annotation = ("label",)

    def __init__(self, settings: IntervalSettings) -> None:
        self.grid = LatentGrid.product([settings.levels] * 2)

    def base(self, batch: Batch) -> Tensor:
        """Return the first labelled position, and the one after the last."""
        inside = batch["label"] > 0
        position = torch.arange(LENGTH, device=inside.device).expand_as(inside)
        first = torch.where(inside, position, LENGTH).amin(dim=1)
        last = torch.where(inside, position, -1).amax(dim=1) + 1
        return torch.stack([first, last], dim=1).float()

    def reference(self, centre: Tensor, state: Tensor) -> Tensor:
        """Add the displacements."""
        return centre[:, None] + state

    def usable(self, reference: Tensor) -> Tensor:
        """Say which are long enough."""
        # float32 may round an interval of exactly the least length down
        return reference[..., 1] - reference[..., 0] >= SHORTEST - 1e-3

    def admit(self, reference: Tensor) -> Tensor:
        """Clamp to the sequence, and lengthen what is too short."""
        first = reference[..., 0].clamp(0, LENGTH - SHORTEST)
        return torch.stack([first, torch.maximum(reference[..., 1].clamp(max=LENGTH), first + SHORTEST)], dim=-1)

    def condition(self, batch: Batch, reference: Tensor) -> Condition:
        """Read 16 values inside each reference, and their labels where there are any."""
        inputs = self._read(batch["values"], reference)
        return Condition(inputs, self._read(batch["label"], reference) if "label" in batch else None)

    def _read(self, values: Tensor, reference: Tensor) -> Tensor:
        step = (torch.arange(POINTS, device=values.device) + 0.5) / POINTS
        at = reference[..., :1] + (reference[..., 1:] - reference[..., :1]) * step
        index = at.floor().long().clamp(0, LENGTH - 1)
        return values[:, None].expand(-1, index.shape[1], -1).gather(2, index).flatten(0, 1)

    def restore(self, prediction: Tensor, reference: Tensor) -> Tensor:
        """Spread 16 probabilities over the reference: (B, K, 64), zero outside of it."""
        probability = torch.sigmoid(prediction).reshape(*reference.shape[:2], POINTS)
        index = _point(reference)
        return probability.gather(2, index.clamp(0, POINTS - 1)) * ((index >= 0) & (index < POINTS))

    def covers(self, reference: Tensor) -> Tensor:
        """Say which places of the line lie in references (B, K, 2): (B, K, 64), bool."""
        index = _point(reference)
        return (index >= 0) & (index < POINTS)

    def frames(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return the values of examples, (B, 64)."""
        return {"values": torch.stack([example.values for example in examples])}

    def finish(self, frame: Tensor, reference: Tensor, example: Example) -> Tensor:
        """Return the frame: it has the example's own size."""
        return frame

    def augment(self, batch: Batch, reference: Tensor, random: Streams) -> Augmented:
        """Add a little noise to the values."""
        noise = 0.05 * random.normal(LENGTH).to(batch["values"])
        return Augmented({**batch, "values": batch["values"] + noise}, reference, reference)


def accuracy(prediction: Tensor, example: Example) -> float:
    """Return the share of positions labelled right, in [0, 1]."""
    return float(((prediction >= 0.5).float() == example.label).double().mean())


def accuracy_metric(settings: NoSettings, context: Context) -> Metric:
    """Build the metric: the mean of `accuracy` over the examples."""
    mean = Summary("share of positions labelled right, in [0, 1]", "higher", lambda scores: float(scores.mean()))
    return Metric(accuracy, {"accuracy": mean})


@hookimpl
def jointtask_tasks() -> Sequence[Component]:
    """Give both tasks."""
    return [
        Component("trial-find", NoSettings, lambda settings, context: Find(), "where the stretch begins and ends"),
        Component("trial-mark", NoSettings, lambda settings, context: Mark(), "which positions belong to it"),
    ]


@hookimpl
def jointtask_bridges() -> Sequence[Component]:
    """Give the bridge."""
    build = lambda settings, context: Interval(settings)  # noqa: E731
    return [Component("trial-interval", IntervalSettings, build, "both ends of an interval, displaced")]


@hookimpl
def jointtask_datasets() -> Sequence[Component]:
    """Give the data set."""
    build = lambda settings, context: Sequences(settings)  # noqa: E731
    return [Component("trial-sequences", SequencesSettings, build, "sequences with one raised stretch; generated")]


@hookimpl
def jointtask_metrics() -> Sequence[Component]:
    """Give the metric."""
    return [Component("trial-accuracy", NoSettings, accuracy_metric, "share of positions labelled right")]


@hookimpl
def jointtask_predictors() -> Sequence[Component]:
    """Give the predictors that a trained pair has to beat."""

    def threshold(settings: NoSettings, context: Context) -> Any:
        return lambda example: (example.values > 0.5).float()

    def mean(settings: NoSettings, context: Context) -> Any:
        if context.train is None:
            raise ConfigError("trial-mean: no training data", remedy="name it in a run file's evaluate.predictors")
        label = context.train.batch(range(len(context.train)))["label"].mean(dim=0)
        return lambda example: label

    summary = "the mean training label, whatever the sequence"
    return [
        Component("trial-threshold", NoSettings, threshold, "values above one half"),
        TrivialComponent("trial-mean", NoSettings, mean, summary, bridges=("trial-interval",)),
    ]


def _point(reference: Tensor) -> Tensor:
    """Return which of its 16 parts each place of the line falls into, for references (B, K, 2): (B, K, 64)."""
    position = torch.arange(LENGTH, device=reference.device) + 0.5
    first, last = reference[..., :1], reference[..., 1:]
    return ((position - first) / (last - first) * POINTS).floor().long()
