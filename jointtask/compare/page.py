"""The page of a comparison: one file that works offline, in the style of the report."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from attrs import frozen

from jointtask.compare.diagnostics import sampler_rows
from jointtask.compare.figures import against_cost, over_rounds
from jointtask.compare.record import ArmRecord, Comparison
from jointtask.compare.tables import cost_rows, method, remarks, title, verdict
from jointtask.report.build import template
from jointtask.report.scores import Column, column
from jointtask.report.view import Card, Grid
from jointtask.tools import text
from jointtask.tools.plot import look
from jointtask.tools.text import bounds, signed

__all__ = ["render"]


@frozen
class _Cell:
    """A score as shown: mean, difference, the interval of each, and the verdict."""

    mean: str
    interval: str = ""
    difference: str = ""
    within: str = ""
    verdict: str = ""


@frozen
class _Row:
    """An arm as shown; `links` holds a name and an address for each run that has a report."""

    name: str
    reference: bool
    colour: str
    dashed: bool
    settings: str
    links: Sequence[tuple[str, str]]
    cells: Sequence[_Cell]
    width: float


def render(comparison: Comparison) -> bytes:
    """Return the page: one HTML document that fetches nothing and runs no script.

    It links to the report of each run, which lies in a folder beside it. The same record gives the same bytes.
    """
    names = dict.fromkeys(name for arm in comparison.arms for name in arm.statistics)
    shown = [column(name, comparison.definitions.get(name, {})) for name in names]
    costs, sampled = cost_rows(comparison), sampler_rows(comparison)
    page = template("jointtask.compare").render(
        comparison=comparison,
        title=title(comparison),
        method=method(comparison).replace(" %", text.PERCENT),
        remarks=remarks(comparison),
        columns=shown,
        rows=[_row(comparison, arm, position, shown) for position, arm in enumerate(comparison.arms)],
        predictors=[(row.name, [_cell(comparison, row, item) for item in shown]) for row in comparison.predictors],
        sampler=Grid(sampled[0], sampled[1:]) if sampled else None,
        seeds=_seeds(comparison, shown),
        training=_training(comparison),
        costs=Grid(costs[0], costs[1:]),
        quality=_quality(comparison, shown[0]) if shown else [],
    )
    return page.encode(errors="replace")  # file names that are no text hold lone surrogates


def _row(comparison: Comparison, arm: ArmRecord, position: int, shown: Sequence[Column]) -> _Row:
    colour, dashed = look(position)
    return _Row(
        name=arm.name,
        reference=arm.name == comparison.reference,
        colour=colour,
        dashed=dashed,
        settings=", ".join(f"{key} = {value}" for key, value in arm.settings.items()) or "as in the file",
        links=[(f"seed {run.seed}", f"{quote(run.directory)}/report.html") for run in arm.runs if not run.failure],
        cells=[_cell(comparison, arm, item) for item in shown],
        width=_width(comparison, arm, shown[0]) if shown else 0.0,
    )


def _width(comparison: Comparison, arm: ArmRecord, item: Column) -> float:
    """Return the width of an arm's bar: of the whole for a percentage, else of the largest."""
    values = {one.name: one.statistics[item.name].mean for one in comparison.arms if item.name in one.statistics}
    full = 1.0 if item.percent else max(map(abs, values.values()), default=0.0) or 1.0
    return text.width(values.get(arm.name, 0.0) / full)


def _cell(comparison: Comparison, arm: ArmRecord, item: Column) -> _Cell:
    statistic = arm.statistics.get(item.name)
    if statistic is None:
        return _Cell(text.MISSING)
    mean = text.score(statistic.mean, item.percent)
    interval = bounds(statistic.interval, item.percent) if statistic.interval else ""
    if statistic.difference is None:
        return _Cell(mean, interval)
    within = bounds(statistic.difference_interval, item.percent, sign=True) if statistic.difference_interval else ""
    apart = signed(statistic.difference, item.percent)
    return _Cell(mean, interval, apart, within, verdict(comparison, arm, item.name))


def _seeds(comparison: Comparison, shown: Sequence[Column]) -> Grid:
    """Return the scores of every run."""
    rows = [
        [run.directory, *(text.score(run.values.get(item.name), item.percent) for item in shown)]
        for arm in comparison.arms
        for run in arm.runs
    ]
    return Grid(["run", *map(_title, shown)], rows)


def _training(comparison: Comparison) -> list[Card]:
    """Return the objective, and the leading score on the validation data, by round."""
    figure = over_rounds(comparison, lambda run: run.objective, "Objective")
    reading = (
        "Mean energy of a training example at the estimate; arms that weigh the energies differently do not compare."
    )
    cards = [Card("Objective", "", reading, figure)]
    names = [name for arm in comparison.arms for run in arm.runs for name in run.validation]
    if names:
        item = column(names[0], comparison.definitions.get(names[0], {}))
        figure = over_rounds(
            comparison,
            lambda run: (
                [_scale(item) * value for value in run.validation.get(item.name, ())]
                or [float("nan")] * len(run.rounds)
            ),
            f"Validation {item.name}",
        )
        reading = f"Through the predicted reference, after each round.{_direction(item)}"
        cards.append(Card(f"{_title(item)}, validation", "", reading, figure))
    return cards


def _quality(comparison: Comparison, item: Column) -> list[Card]:
    """Return the leading score against each cost."""
    costs = (
        (
            "training time, s",
            lambda cost: cost.seconds,
            "Wall-clock time, which other programs on the machine lengthen.",
        ),
        (
            "downstream evaluations",
            lambda cost: cost.evaluations,
            "States whose downstream energy the E-steps computed.",
        ),
    )
    return [
        Card(
            _title(item),
            "",
            f"{reading}{_direction(item)}",
            against_cost(comparison, item.name, _scale(item), cost, across),
        )
        for across, cost, reading in costs
    ]


def _title(item: Column) -> str:
    return f"{item.name}, %" if item.percent else item.name


def _scale(item: Column) -> float:
    return 100 if item.percent else 1


def _direction(item: Column) -> str:
    return f" {item.better.capitalize()} is better." if item.better else ""
