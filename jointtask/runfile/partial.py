"""Files of which a command reads some tables only: scores without a run, data sets alone, a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from jointtask.api.setting import setting
from jointtask.runfile.schema import DataTables, EvaluateTable, RunTable, Table, folder_name

__all__ = ["CompareFile", "CompareTable", "DataFile", "EvaluationData", "EvaluationFile"]


def _folder_names(instance: object, attribute: Any, value: Mapping[str, Any]) -> None:
    for name in value:
        folder_name(instance, attribute, name)


@frozen
class EvaluationData:
    """`[data.test]`, and `[data.train]` for a predictor that learns."""

    test: Table = setting(help="what is scored", component="dataset")
    train: Table | None = setting(None, "what is learnt from", component="dataset")


@frozen
class EvaluationFile:
    """What it takes to score a predictor without a run; only ever made from overrides."""

    run: RunTable = setting(help="device, precision and workers")
    data: EvaluationData = setting(help="the data sets")
    evaluate: EvaluateTable = setting(factory=EvaluateTable, help="what is scored")


@frozen
class DataFile:
    """The data sets of a run file alone, for `jointtask data check`."""

    data: DataTables = setting(help="the data sets")


@frozen
class CompareTable:
    """`[compare]`: what `jointtask compare` runs."""

    reference: str = setting("", "name of the arm that the others are compared with; without it, the first")
    seeds: int = setting(1, "number of runs of each arm, with seeds from run.seed upwards", ge=1, le=10_000)
    arms: Mapping[str, dict[str, Any]] = setting(
        factory=dict, help="keys that each arm sets, as --set would, by the arm's name", validator=_folder_names
    )


@frozen
class CompareFile:
    """The one table of a run file that `jointtask compare` alone reads."""

    compare: CompareTable = setting(factory=CompareTable, help="what `jointtask compare` runs")
