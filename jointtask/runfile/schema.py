"""The run file as frozen attrs classes: its tables, keys, types, defaults and bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from attrs import field, frozen, validators

__all__ = [
    "ArmTable",
    "CompareFile",
    "CompareTable",
    "DataFile",
    "DataTables",
    "EmTable",
    "EvaluateTable",
    "EvaluationData",
    "EvaluationFile",
    "Optimizer",
    "PredictTable",
    "RunFile",
    "RunTable",
    "SamplerTable",
    "Table",
    "TaskTable",
]

_POSITIVE: Any = validators.gt(0)
_AT_LEAST_0: Any = validators.ge(0)
_AT_LEAST_1: Any = validators.ge(1)


def _help(text: str, **more: Any) -> dict[str, Any]:
    """Metadata: ``path`` marks a path, ``component`` the kind of component that a table or a string names.

    ``named`` is the kind of component whose name may stand where a path is expected; a file of that name goes first.
    """
    return {"help": text, **more}


def _folder_name(instance: object, attribute: Any, value: str) -> None:
    if value in ("", ".", "..") or any(character in value for character in "/\\\0"):
        raise ValueError(f"must be the plain name of a folder, got {value!r}")


def _folder_names(instance: object, attribute: Any, value: Mapping[str, Any]) -> None:
    for name in value:
        _folder_name(instance, attribute, name)


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

    name: str = field(metadata=_help("name of the run, and of its directory"), validator=_folder_name)
    seed: int = field(default=0, validator=_AT_LEAST_0, metadata=_help("everything random depends on it"))
    start: str = field(
        default="",
        metadata=_help(
            "a finished run's directory, its model.safetensors, or a trained predictor's name: both networks start"
            " from it",
            path=True,
            named="predictor",
        ),
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = field(
        default="auto", metadata=_help("a named device is a demand: the run fails where it is absent")
    )
    precision: Literal["float32", "bfloat16"] = field(
        default="float32", metadata=_help("of the networks' forward passes; energies are always float32 or better")
    )
    channels_last: bool = field(default=False, metadata=_help("memory layout of the networks"))
    threads: int = field(default=0, validator=_AT_LEAST_0, metadata=_help("CPU threads; 0 leaves it to torch"))
    workers: int = field(default=0, validator=_AT_LEAST_0, metadata=_help("for preparing data; 0 is one per core"))
    output: str = field(default="runs", metadata=_help("folder that the run directory is made in", path=True))
    checkpoint_seconds: float = field(
        default=60.0, validator=_AT_LEAST_0, metadata=_help("least time between two checkpoints inside a round")
    )


@frozen
class Table:
    """A table that names a component; `settings` holds the component's own keys, by their settings class."""

    name: str
    settings: Any


@frozen
class DataTables:
    """`[data.train]`, `[data.validation]`, `[data.test]`."""

    train: Table = field(metadata=_help("what the networks learn from", component="dataset"))
    validation: Table | None = field(default=None, metadata=_help("scored after every round", component="dataset"))
    test: Table | None = field(default=None, metadata=_help("scored once, at the end", component="dataset"))


@frozen
class Optimizer:
    """`optimizer = { ... }` of a task: how the M-step trains it. The loss is the energy, averaged over the batch."""

    name: Literal["sgd", "adamw"] = field(default="adamw", metadata=_help("the algorithm"))
    rate: float = field(default=1e-3, validator=_AT_LEAST_0, metadata=_help("learning rate"))
    rates: Mapping[str, float] = field(
        factory=dict, validator=_rates, metadata=_help("learning rate by parameter group; 0 freezes the group")
    )
    bias_rate: float = field(default=1.0, validator=_AT_LEAST_0, metadata=_help("factor on the rate of biases"))
    momentum: float = field(
        default=0.9, validator=[_AT_LEAST_0, validators.lt(1)], metadata=_help("of sgd; adamw keeps its betas")
    )
    weight_decay: float = field(default=0.0, validator=_AT_LEAST_0, metadata=_help("of all parameters but biases"))
    schedule: Literal["constant", "cosine", "step"] = field(
        default="constant", metadata=_help("of the rate over all epochs of the run")
    )
    step_epochs: int = field(default=10, validator=_AT_LEAST_1, metadata=_help("epochs between two steps"))
    step_factor: float = field(default=0.1, validator=_POSITIVE, metadata=_help("factor of one step"))
    warmup_steps: int = field(default=0, validator=_AT_LEAST_0, metadata=_help("steps of linear increase from 0"))
    clip: float = field(default=0.0, validator=_AT_LEAST_0, metadata=_help("largest gradient norm; 0 is no limit"))


@frozen
class TaskTable(Table):
    """`[upstream]` and `[downstream]`: the component's own keys, and these."""

    weight: float = field(default=1.0, validator=_AT_LEAST_0, metadata=_help("factor on the task's energy"))
    optimizer: Optimizer = field(factory=Optimizer, metadata=_help("how the M-step trains the task"))


@frozen
class SamplerTable(Table):
    """`[sampler]`: the component's own keys, and these."""

    estimate: Literal["best", "last", "weighted"] = field(
        default="best",
        metadata=_help("what the M-step trains on: lowest energy visited, last state, or em.draws weighted draws"),
    )


@frozen
class EmTable:
    """`[em]`: the schedule of the EM loop."""

    rounds: int = field(default=5, validator=_AT_LEAST_1, metadata=_help("E-steps, each followed by an M-step"))
    warmup_epochs: int = field(
        default=5, validator=_AT_LEAST_0, metadata=_help("epochs at no adjustment before the first round")
    )
    epochs_per_round: int = field(default=1, validator=_AT_LEAST_1, metadata=_help("epochs of one M-step"))
    batch_size: int = field(
        default=32, validator=_AT_LEAST_1, metadata=_help("examples in a step of the M-step, of all processes together")
    )
    draws: int = field(default=1, validator=_AT_LEAST_1, metadata=_help("draws per example of estimate = 'weighted'"))
    temperatures: Sequence[float] = field(
        default=(1.0,),
        validator=_temperatures,
        metadata=_help("what divides the energy that the sampler sees, one a round; the last stays"),
    )
    estep_batch: int = field(
        default=64, validator=_AT_LEAST_1, metadata=_help("examples sampled together, by each process")
    )
    downstream_batch: int = field(
        default=256, validator=_AT_LEAST_1, metadata=_help("references evaluated in one downstream forward pass")
    )
    oracle_examples: int = field(
        default=8,
        validator=_AT_LEAST_0,
        metadata=_help(
            "examples compared with exhaustive enumeration in each round, but not with the sampler `none`; 0 is none"
        ),
    )


@frozen
class PredictTable:
    """`[predict]`: how a trained pair predicts."""

    draws: int = field(
        default=1, validator=_AT_LEAST_1, metadata=_help("references averaged; 1 is the predicted one alone")
    )
    relocations: int = field(
        default=0,
        validator=_AT_LEAST_0,
        metadata=_help(
            "times that the reference is taken anew from the prediction; what all references gave is averaged"
        ),
    )
    batch_size: int = field(
        default=32, validator=_AT_LEAST_1, metadata=_help("examples predicted together, by each process")
    )


@frozen
class EvaluateTable:
    """`[evaluate]`: what is scored."""

    metrics: Sequence[str] = field(
        factory=tuple,
        validator=_distinct,
        metadata=_help("names of metrics, the leading one first", component="metric"),
    )
    each_round: Sequence[str] = field(
        factory=tuple,
        validator=_distinct,
        metadata=_help(
            "metrics scored on the validation data after each round; empty: the leading one", component="metric"
        ),
    )
    predictors: Sequence[str] = field(
        factory=tuple,
        validator=_distinct,
        metadata=_help("names of predictors scored on the test data beside the run", component="predictor"),
    )


@frozen
class RunFile:
    """A resolved run file."""

    run: RunTable = field(metadata=_help("what the run is called, where and how it runs"))
    data: DataTables = field(metadata=_help("the data sets"))
    upstream: TaskTable = field(metadata=_help("the task that predicts the reference", component="task"))
    downstream: TaskTable = field(metadata=_help("the task solved inside a reference", component="task"))
    bridge: Table = field(metadata=_help("the grid of adjustments, and what a reference means", component="bridge"))
    sampler: SamplerTable = field(metadata=_help("how the E-step samples the adjustment", component="sampler"))
    proposal: Sequence[Table] = field(
        factory=tuple,
        validator=_distinct,
        metadata=_help("the terms of the proposal distribution", component="proposal"),
    )
    em: EmTable = field(factory=EmTable, metadata=_help("the schedule of the EM loop"))
    predict: PredictTable = field(factory=PredictTable, metadata=_help("how a trained pair predicts"))
    evaluate: EvaluateTable = field(factory=EvaluateTable, metadata=_help("what is scored"))

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
        ]
        yield from ((kind, table.name) for kind, table in tables if table is not None)
        yield from (("metric", name) for name in dict.fromkeys([*self.evaluate.metrics, *self.evaluate.each_round]))
        yield from (("predictor", name) for name in self.evaluate.predictors)


@frozen
class EvaluationData:
    """`[data.test]`, and `[data.train]` for a predictor that learns."""

    test: Table = field(metadata=_help("what is scored", component="dataset"))
    train: Table | None = field(default=None, metadata=_help("what is learnt from", component="dataset"))


@frozen
class EvaluationFile:
    """What it takes to score a predictor without a run; only ever made from overrides."""

    run: RunTable
    data: EvaluationData
    evaluate: EvaluateTable = field(factory=EvaluateTable)


@frozen
class DataFile:
    """The data sets of a run file alone, for `jointtask data check`."""

    data: DataTables = field(metadata=_help("the data sets"))


@frozen
class ArmTable:
    """`[compare.arms.NAME]`: any keys of the run file; `jointtask compare` reads them as it reads ``--set``."""


@frozen
class CompareTable:
    """`[compare]`: what `jointtask compare` runs."""

    reference: str = field(default="", metadata=_help("name of the arm that the others are held against; the first"))
    seeds: int = field(default=1, validator=_AT_LEAST_1, metadata=_help("runs of each arm, from run.seed upwards"))
    arms: Mapping[str, ArmTable] = field(
        factory=dict, validator=_folder_names, metadata=_help("for each arm, the keys that it sets, as --set would")
    )


@frozen
class CompareFile:
    """The one table of a run file that `jointtask compare` alone reads."""

    compare: CompareTable = field(factory=CompareTable)
