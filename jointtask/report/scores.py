"""The table of scores: predictors in rows, summaries in columns, bootstrap intervals, the best value marked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from attrs import frozen

from jointtask.api.record import OWN, RunRecord, ScoreRecord
from jointtask.tools import text
from jointtask.tools.statistics import bootstrap_interval

__all__ = [
    "Cell",
    "Column",
    "Row",
    "ScoreTable",
    "column",
    "columns",
    "interval",
    "metric_of",
    "score_tables",
]


@frozen
class Column:
    """A summary.

    Attributes
    ----------
    name, definition : str
        Name and definition that the metric gives.
    better : str
        "higher", "lower", or empty where no metric says.
    percent : bool
        Shown times 100.
    """

    name: str
    definition: str
    better: str
    percent: bool


@frozen
class Cell:
    """A score.

    Attributes
    ----------
    value : float
        NaN if there is none.
    text, interval : str
        Value and interval as shown; the interval is empty where the summary is no mean over examples.
    best : bool
        Whether no row of the column is better.
    """

    value: float
    text: str
    interval: str
    best: bool


@frozen
class Row:
    """The scores of one predictor; `own` marks the run itself."""

    name: str
    own: bool
    examples: int
    cells: Sequence[Cell]


@frozen
class ScoreTable:
    """The scores on one data set."""

    data: str
    columns: Sequence[Column]
    rows: Sequence[Row]


def interval(scores: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval of the mean score.

    Parameters
    ----------
    scores : sequence of float
        Scores, one an example; NaN is an example without a score.

    Returns
    -------
    tuple of two floats or None
        None for fewer than two scores.
    """
    finite = np.asarray(scores, dtype=np.float64)
    return bootstrap_interval(finite[np.isfinite(finite)][None])


def columns(record: RunRecord) -> list[Column]:
    """Return all summaries of a record: those with a definition first, in the order of the run file's metrics."""
    named = dict.fromkeys(record.definitions)
    for scores in record.scores:
        named |= dict.fromkeys(scores.values)
    for entry in record.rounds:
        named |= dict.fromkeys(entry.validation)
    return [column(name, record.definitions.get(name, {})) for name in named]


def column(name: str, definition: Mapping[str, object]) -> Column:
    """Return a summary with its definition, if the record has one."""
    return Column(
        name=name,
        definition=str(definition.get("definition", "")),
        better=str(definition.get("better", "")),
        percent=bool(definition.get("percent", False)),
    )


def score_tables(record: RunRecord) -> list[ScoreTable]:
    """Return one table for each data set that was scored.

    An interval stands beside a summary that is the mean of a metric's scores per example, which its values show.
    """
    named = columns(record)
    tables = []
    for data in dict.fromkeys(scores.data for scores in record.scores):
        records = [scores for scores in record.scores if scores.data == data]
        used = [c for c in named if any(c.name in scores.values for scores in records)]
        cells = [_cells(column, records) for column in used]
        rows = [
            Row(scores.predictor, scores.predictor == OWN, scores.examples, [column[k] for column in cells])
            for k, scores in enumerate(records)
        ]
        tables.append(ScoreTable(data, used, rows))
    return tables


def _cells(column: Column, records: Sequence[ScoreRecord]) -> list[Cell]:
    values = [text.finite(scores.values.get(column.name)) for scores in records]
    numbers = [value for value in values if not math.isnan(value)]
    metric = metric_of(column.name, records)
    best = math.nan
    if len(numbers) > 1 and column.better:
        best = max(numbers) if column.better == "higher" else min(numbers)
    cells = []
    for value, scores in zip(values, records, strict=True):
        bounds = interval(_ordered(scores, metric)) if metric else None
        shown = " to ".join(text.score(bound, column.percent) for bound in bounds) if bounds else ""
        cells.append(Cell(value, text.score(value, column.percent), shown, value == best))
    return cells


def _ordered(scores: ScoreRecord, metric: str) -> list[float]:
    """Return a metric's scores by example id, so that the order of evaluation does not show."""
    per_example = scores.per_example.get(metric, {})
    return [text.finite(per_example[name]) for name in sorted(per_example)]


def metric_of(summary: str, records: Sequence[ScoreRecord]) -> str | None:
    """Return the only metric whose mean over examples equals the summary in every record that has it."""
    names = dict.fromkeys(metric for scores in records for metric, values in scores.per_example.items() if values)
    averaged = [name for name in names if all(_is_mean(summary, name, scores) for scores in records)]
    return averaged[0] if len(averaged) == 1 else None


def _is_mean(summary: str, metric: str, scores: ScoreRecord) -> bool:
    finite = [value for value in _ordered(scores, metric) if not math.isnan(value)]
    value = text.finite(scores.values.get(summary))
    if not finite or math.isnan(value):
        return not finite and math.isnan(value)
    return math.isclose(math.fsum(finite) / len(finite), value, rel_tol=1e-6, abs_tol=1e-9)
