"""The run file as frozen attrs classes: its tables, keys, types, defaults and bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from attrs import field, frozen

from jointtask.api.setting import setting

__all__ = [
    "DataTables",
    "EmTable",
    "EvaluateTable",
    "OptimizerTable",
    "PredictTable",
    "RunFile",
    "RunTable",
    "SamplerTable",
    "Table",
    "TaskTable",
    "folder_name",
]


_COUNT = 1_000_000_000
_BATCH = 1_000_000
_PROCESSORS = 4096
_DRAWN = 24


def folder_name(instance: object, attribute: Any, value: str) -> None:
    """Raise a `ValueError` unless a value is the plain name of a folder."""
    if value in ("", ".", "..") or any(character in value for character in "/\\\0"):
        raise ValueError(f"must be the plain name of a folder, got {value!r}")


def _rates(instance: object, attribute: Any, value: Mapping[str, float]) -> None:
    for group, rate in value.items():
        if rate < 0:
            raise ValueError(f"must be at least 0, got {group} = {rate}")


def _temperatures(instance: object, attribute: Any, value: Sequence[float]) -> None:
    if not value or min(value) <= 0:
        raise ValueError(f"must be one or more numbers above 0, got {list(value)}")


def _distinct(instance: object, attribute: Any, value: Sequence[Any]) -> None:
    names = [item if isinstance(item, str) else item.name for item in value]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"names {name!r} twice")


@frozen
class RunTable:
    """`[run]`: what the run is called, where and how it runs."""

    name: str = setting(help="name of the run, and of its directory", validator=folder_name)
    seed: int = setting(0, "number that everything random depends on", ge=0)
    start: str = setting(
        "",
        "a finished run's directory, its model.safetensors, or a trained predictor's name: both networks start from it",
        path=True,
        named="predictor",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting(
        "auto", "device of the networks; a named one is a demand: the run fails where it is absent"
    )
    precision: Literal["float32", "bfloat16", "float16"] = setting(
        "float32",
        "precision of the networks' forward passes; energies are always float32 or better; float16 needs a CUDA device",
    )
    channels_last: bool = setting(False, "whether images lie channels last in memory")
    threads: int = setting(0, "number of CPU threads; 0 leaves it to torch", ge=0, le=_PROCESSORS)
    workers: int = setting(0, "number of processes that prepare data; 0 is one per core", ge=0, le=_PROCESSORS)
    output: str = setting("runs", "folder that the run directory is made in", path=True)
    checkpoint_seconds: float = setting(60.0, "least time between two checkpoints inside a round", ge=0)
    panels_each_round: int = setting(
        0, "training examples that are drawn after each round, the same each time; 0 is none", ge=0, le=_DRAWN
    )


@frozen
class Table:
    """A table that names a component; `settings` holds the component's own keys, by their settings class."""

    name: str
    settings: Any = field(metadata={"flat": True})


@frozen
class DataTables:
    """`[data.train]`, `[data.validation]`, `[data.test]`."""

    train: Table = setting(help="what the networks learn from", component="dataset")
    validation: Table | None = setting(None, "what is scored after every round", component="dataset")
    test: Table | None = setting(None, "what is scored once, at the end", component="dataset")


@frozen(kw_only=True)
class OptimizerTable(Table):
    """`optimizer = { ... }` of a task: how the M-step trains it. The loss is the energy, averaged over the batch."""

    rate: float = setting(1e-3, "learning rate", ge=0)
    rates: Mapping[str, float] = setting(
        factory=dict, help="learning rate by parameter group; 0 freezes the group", validator=_rates
    )
    bias_rate: float = setting(1.0, "factor on the learning rate of biases", ge=0)
    weight_decay: float = setting(0.0, "weight decay of all parameters but biases", ge=0)
    schedule: Table = setting(
        help="schedule of the learning rate over all epochs: its name, or a table with its settings",
        component="schedule",
        default_component="constant",
    )
    warmup_steps: int = setting(0, "optimiser steps in which the rate rises linearly from 0", ge=0, le=_COUNT)
    clip: float = setting(0.0, "largest norm of the gradient; 0 is no limit", ge=0)


@frozen(kw_only=True)
class TaskTable(Table):
    """`[upstream]` and `[downstream]`: the component's own keys, and these."""

    weight: float = setting(1.0, "factor on the task's energy", ge=0)
    optimizer: OptimizerTable = setting(
        help="how the M-step trains the task", component="optimizer", default_component="adamw"
    )


@frozen
class SamplerTable(Table):
    """`[sampler]`: the component's own keys, and these."""

    estimate: Literal["best", "last", "weighted"] = setting(
        "best", "what the M-step trains on: lowest energy visited, last state, or em.draws weighted draws"
    )


@frozen
class EmTable:
    """`[em]`: the schedule of the EM loop."""

    rounds: int = setting(5, "E-steps, each followed by an M-step", ge=1, le=_COUNT)
    warmup_epochs: int = setting(5, "epochs at no adjustment before the first round", ge=0, le=_COUNT)
    epochs_per_round: int = setting(1, "epochs of one M-step", ge=1, le=_COUNT)
    part: float = setting(
        1.0,
        "largest share of the training data that one round samples and trains on; the next rounds take the others",
        gt=0,
        le=1,
    )
    batch_size: int = setting(32, "examples in a step of the M-step, of all processes together", ge=1, le=_BATCH)
    microbatch: int = setting(
        0,
        "largest number of examples in one pass of the M-step: gradients add up to batch_size; 0 is all",
        ge=0,
        le=_BATCH,
    )
    average: float = setting(
        0.0, "decay of the weights' moving average, which is scored and saved in their place; 0 is none", ge=0, lt=1
    )
    keep: Literal["last", "best"] = setting(
        "last", "round whose weights are scored and saved at the end: the last, or the best on the validation data"
    )
    patience: int = setting(
        0,
        "rounds without a better score on the validation data after which training stops; 0 is never",
        ge=0,
        le=_COUNT,
    )
    monitor: str = setting(
        "", "validation score that keep and patience follow; empty: the first that is scored in each round"
    )
    draws: int = setting(1, "draws per example of estimate = 'weighted'", ge=1, le=_BATCH)
    temperatures: Sequence[float] = setting(
        (1.0,),
        "temperatures of rounds 1, 2, ...: the sampler sees energy / T; later rounds reuse the last",
        validator=_temperatures,
    )
    estep_batch: int = setting(64, "examples sampled together, by each process", ge=1, le=_BATCH)
    downstream_batch: int = setting(256, "references evaluated in one downstream forward pass", ge=1, le=_BATCH)
    oracle_examples: int = setting(
        8,
        "examples compared with exhaustive enumeration in each round, but not with the sampler `none`; 0 is none",
        ge=0,
        le=_COUNT,
    )


@frozen
class PredictTable:
    """`[predict]`: how a trained pair predicts."""

    draws: int = setting(1, "references averaged; 1 is the predicted one alone", ge=1, le=_BATCH)
    start: Literal["upstream", "whole"] = setting(
        "upstream", "first reference: the predicted one, or the whole example without the upstream task"
    )
    relocations: int = setting(
        0,
        "times that the reference is taken anew from the prediction; what all references gave is averaged",
        ge=0,
        le=_COUNT,
    )
    mirror: bool = setting(False, "whether every second reference, from the first relocation on, is solved mirrored")
    batch_size: int = setting(32, "examples predicted together, by each process", ge=1, le=_BATCH)


@frozen
class EvaluateTable:
    """`[evaluate]`: what is scored."""

    metrics: Sequence[str] = setting(
        (), "names of metrics, the leading one first", validator=_distinct, component="metric"
    )
    each_round: Sequence[str] = setting(
        (),
        "metrics scored on the validation data after each round; empty: the leading one",
        validator=_distinct,
        component="metric",
    )
    predictors: Sequence[str] = setting(
        (),
        "names of predictors scored on the test data beside the run",
        validator=_distinct,
        component="predictor",
    )
    trivial: bool = setting(
        True, "whether the trivial predictor that the bridge's plugin gives, if any, is scored beside the run too"
    )


@frozen
class RunFile:
    """A resolved run file."""

    run: RunTable = setting(help="what the run is called, where and how it runs")
    data: DataTables = setting(help="the data sets")
    upstream: TaskTable = setting(help="the task that predicts the reference", component="task")
    downstream: TaskTable = setting(help="the task solved inside a reference", component="task")
    bridge: Table = setting(help="the grid of adjustments, and what a reference means", component="bridge")
    sampler: SamplerTable = setting(help="how the E-step samples the adjustment", component="sampler")
    proposal: Sequence[Table] = setting(
        (), "the terms of the proposal distribution", validator=_distinct, component="proposal"
    )
    em: EmTable = setting(factory=EmTable, help="the schedule of the EM loop")
    predict: PredictTable = setting(factory=PredictTable, help="how a trained pair predicts")
    evaluate: EvaluateTable = setting(factory=EvaluateTable, help="what is scored")
    observer: Sequence[Table] = setting((), "observers of the run, which cannot change it", component="observer")

    def components(self) -> Iterator[tuple[str, str]]:
        """Yield the kind and the name of every component that the file names."""
        tables: Iterable[tuple[str, Table | None]] = [
            ("dataset", self.data.train),
            ("dataset", self.data.validation),
            ("dataset", self.data.test),
            ("task", self.upstream),
            ("task", self.downstream),
            ("bridge", self.bridge),
            ("sampler", self.sampler),
            *(("proposal", term) for term in self.proposal),
            *(("optimizer", task.optimizer) for task in (self.upstream, self.downstream)),
            *(("schedule", task.optimizer.schedule) for task in (self.upstream, self.downstream)),
        ]
        yield from ((kind, table.name) for kind, table in tables if table is not None)
        yield from (("metric", name) for name in dict.fromkeys([*self.evaluate.metrics, *self.evaluate.each_round]))
        yield from (("predictor", name) for name in self.evaluate.predictors)
