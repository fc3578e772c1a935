"""The first lines of the page: what ran, how far it came, and its leading score beside the predictors'."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import frozen

from jointtask.api.record import RunRecord
from jointtask.report.advice import setting
from jointtask.report.scores import Column, ScoreTable, columns
from jointtask.tools import text

__all__ = ["Bar", "Headline", "headline"]


@frozen
class Bar:
    """A score as a bar; `width` in percent of the widest."""

    name: str
    own: bool
    text: str
    interval: str
    width: float


@frozen
class Headline:
    """The first lines of the page."""

    state: str
    parts: Sequence[tuple[str, str]]
    column: Column | None
    caption: str
    bars: Sequence[Bar]


def headline(record: RunRecord, tables: Sequence[ScoreTable]) -> Headline:
    """Return what ran, how far it came, and its leading score beside the predictors'."""
    done = max((entry.round for entry in record.rounds), default=0)
    planned = setting(record.config, "em", "rounds")
    of = "" if planned is None else f" of {planned}"
    state = "finished" if record.finished else f"unfinished: {done}{of} rounds done"
    parts = [
        (table, str(name))
        for table in ("upstream", "downstream", "bridge", "sampler")
        if (name := setting(record.config, table, "name")) is not None
    ]
    parts.append(("rounds", str(done)))
    if record.timing:
        parts.append(("training time", text.duration(math.fsum(float(entry["seconds"]) for entry in record.timing))))
    if tables and tables[0].columns:
        return Headline(state, parts, tables[0].columns[0], f"on {tables[0].data}", _bars(tables[0]))
    return _validation_headline(record, state, parts)


def _bars(table: ScoreTable) -> list[Bar]:
    first = [(row, row.cells[0]) for row in table.rows]
    widest = max((abs(cell.value) for _, cell in first if math.isfinite(cell.value)), default=0)
    full = 1.0 if table.columns[0].percent else widest or 1.0
    return [
        Bar(row.name, row.own, _amount(cell.value, table.columns[0]), cell.interval, text.width(cell.value / full))
        for row, cell in first
    ]


def _amount(value: float, column: Column) -> str:
    in_percent = column.percent and math.isfinite(value)
    return text.score(value, column.percent) + (text.PERCENT if in_percent else "")


def _validation_headline(record: RunRecord, state: str, parts: Sequence[tuple[str, str]]) -> Headline:
    validated = [entry for entry in record.rounds if entry.validation]
    if not validated:
        return Headline(state, parts, None, "", [])
    column = next(c for c in columns(record) if c.name in validated[-1].validation)
    value = text.finite(validated[-1].validation[column.name])
    full = 1.0 if column.percent else abs(value) or 1.0
    bar = Bar(f"round {validated[-1].round}", True, _amount(value, column), "", text.width(value / full))
    return Headline(state, parts, column, "on validation", [bar])
