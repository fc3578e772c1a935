"""What the page shows, section by section, as plain values: the template only lays them out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import tomli_w
from attrs import frozen
from markupsafe import Markup

from jointtask.api.record import Energy, RunRecord
from jointtask.report import figures
from jointtask.report.scores import columns
from jointtask.tools import text
from jointtask.tools.plain import to_plain

__all__ = ["Card", "Grid", "Phase", "adjustments", "objective", "phases", "settings", "validation"]


_NO_SIDE = 1e-6
"""Length of the mean direction on a ring below which there is none."""


@frozen
class Card:
    """A figure with its heading, its latest value and how to read it; `figure` is None where nothing was measured."""

    title: str
    value: str
    reading: str
    figure: Markup | None


@frozen
class Grid:
    """The numbers behind figures: a header, and rows that each begin with their round."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@frozen
class Phase:
    """The time that one phase took."""

    name: str
    seconds: str
    share: str
    width: float


def objective(record: RunRecord) -> tuple[list[Card], Grid]:
    """Return the objective and its two terms, each at no adjustment and at the estimate (the paper's Figure 4)."""
    measured = [entry for entry in record.rounds if entry.estimate is not None or entry.start is not None]
    terms: Sequence[tuple[str, str, Callable[[Energy], float]]] = (
        ("Objective", "The sum of the two terms. Joint training lowers the solid line.", lambda e: e.total),
        ("Upstream term", "How far the predicted reference is from the reference it is taught.", lambda e: e.upstream),
        ("Downstream term", "How badly the downstream task is solved inside the reference.", lambda e: e.downstream),
    )
    cards = []
    for title, reading, term in terms:
        lines = [
            figures.Line("at the estimate", [_term(entry.estimate, term) for entry in measured]),
            figures.Line("no adjustment", [_term(entry.start, term) for entry in measured], "b", dashed=True),
        ]
        figure = figures.chart([entry.round for entry in measured], lines, title)
        cards.append(Card(title, text.number(lines[0].values[-1]) if measured else text.MISSING, reading, figure))
    header = ["round", *(f"{title}, {where}" for title, _, _ in terms for where in ("no adjustment", "estimate"))]
    header += ["training loss, upstream", "training loss, downstream"]
    rows = [
        [
            str(entry.round),
            *(text.number(_term(e, term)) for _, _, term in terms for e in (entry.start, entry.estimate)),
            *(text.number(entry.training.get(task)) for task in ("upstream", "downstream")),
        ]
        for entry in record.rounds
    ]
    return cards, Grid(header, rows)


def _term(energy: Energy | None, term: Callable[[Energy], float]) -> float:
    return math.nan if energy is None else text.finite(term(energy))


def validation(record: RunRecord) -> tuple[list[Card], Grid]:
    """Return one figure for each summary scored on the validation data."""
    validated = [entry for entry in record.rounds if entry.validation]
    used = [column for column in columns(record) if any(column.name in entry.validation for entry in validated)]
    cards = []
    for column in used:
        scale = 100 if column.percent else 1
        values = [text.finite(entry.validation.get(column.name)) for entry in validated]
        line = figures.Line(column.name, [scale * value for value in values])
        figure = figures.chart([entry.round for entry in validated], [line], f"Validation {column.name}", small=True)
        reading = f"{column.better} is better" if column.better else ""
        title = f"{column.name}, %" if column.percent else column.name
        cards.append(Card(title, text.score(values[-1], column.percent), reading, figure))
    rows = [
        [str(entry.round), *(text.score(entry.validation.get(c.name), c.percent) for c in used)] for entry in validated
    ]
    return cards, Grid(["round", *(f"{c.name}, %" if c.percent else c.name for c in used)], rows)


def adjustments(record: RunRecord, coordinates: Sequence[str]) -> list[Card]:
    """Return the histogram of the estimates of each coordinate, with its mean: the circular one on a ring."""
    adjusted = [entry for entry in record.rounds if entry.adjustment]
    cards = []
    for d in range(len(adjusted[-1].adjustment) if adjusted else 0):
        histograms = [entry.adjustment[d] if d < len(entry.adjustment) else {} for entry in adjusted]
        levels = sorted({level for histogram in histograms for level in histogram}, key=float)
        name = coordinates[d] if d < len(coordinates) else f"coordinate {d + 1}"
        figure = figures.adjustment(f"Adjustment of {name}", levels, [entry.round for entry in adjusted], histograms)
        period = record.period[d] if d < len(record.period) else None
        cards.append(Card(name, _mean(adjusted[-1].adjustment[d], period), "", figure))
    return cards


def _mean(histogram: Mapping[str, int], period: float | None) -> str:
    """Write the mean of the levels; "" where there are none, or where they lie around a ring without a side."""
    total = sum(histogram.values())
    if not total:
        return ""
    levels = [(float(level), count / total) for level, count in histogram.items()]
    mean = math.fsum(level * share for level, share in levels)
    if period is not None:
        turn = 2 * math.pi / period
        sine, cosine = (math.fsum(f(level * turn) * share for level, share in levels) for f in (math.sin, math.cos))
        if math.hypot(sine, cosine) < _NO_SIDE:
            return ""
        mean = math.atan2(sine, cosine) / turn
    return f"mean {mean:+.3g}"


def phases(record: RunRecord) -> list[Phase]:
    """Return the time by phase over the whole run, in the order in which the phases first came."""
    seconds: dict[str, float] = {}
    for entry in record.timing:
        seconds[str(entry["phase"])] = seconds.get(str(entry["phase"]), 0.0) + float(entry["seconds"])
    total = math.fsum(seconds.values()) or 1.0
    return [
        Phase(name, text.duration(spent), text.share(spent / total), text.width(spent / total))
        for name, spent in seconds.items()
    ]


def settings(record: RunRecord) -> str:
    """Return the resolved run file as TOML; keys without a value are left out, as TOML has none for them."""
    return tomli_w.dumps(to_plain(record.config, nulls=False))
