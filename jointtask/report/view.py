"""What the page shows, section by section, as plain values: the template only lays them out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tomli_w
from attrs import frozen
from markupsafe import Markup

from jointtask.record import Energy, RoundRecord, RunRecord, SamplerRecord
from jointtask.report import figures, text
from jointtask.report.advice import setting
from jointtask.report.plain import plain
from jointtask.report.scores import Column, ScoreTable, columns

__all__ = [
    "Bar",
    "Card",
    "Grid",
    "Headline",
    "Phase",
    "adjustments",
    "headline",
    "objective",
    "phases",
    "sampler",
    "settings",
    "validation",
]


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


@frozen
class Phase:
    """The time that one phase took."""

    name: str
    seconds: str
    share: str
    width: float


@frozen
class _Reading:
    """How one diagnostic of the E-step is called, taken from a record, written and read."""

    title: str
    value: Callable[[SamplerRecord], float | None]
    write: Callable[[float | None], str]
    reading: str


_READINGS = (
    _Reading(
        "Acceptance",
        lambda s: s.acceptance,
        text.share,
        "Share of moves accepted. Near 0 the chain stays where it is; near 100 proposals and posterior agree.",
    ),
    _Reading(
        "States visited",
        lambda s: s.visited,
        text.number,
        "Distinct adjustments an example's draws went through. Near 1, nothing was explored.",
    ),
    _Reading(
        "States evaluated",
        lambda s: s.evaluated,
        text.number,
        "Distinct adjustments an example whose downstream energy was computed: what the E-step costs.",
    ),
    _Reading(
        "Energy gained",
        lambda s: s.gain,
        text.number,
        "Energy at no adjustment minus energy at the estimate. 0 means that adjusting changed nothing.",
    ),
    _Reading(
        "Examples moved",
        lambda s: s.moved,
        text.share,
        "Share of examples whose estimate differs from no adjustment.",
    ),
    _Reading(
        "Effective draws",
        lambda s: s.effective,
        text.number,
        "Independent draws that an example's draws are worth. Far below their number, they repeat each other.",
    ),
    _Reading(
        "Regret to the optimum",
        lambda s: s.oracle.regret if s.oracle else None,
        text.number,
        "Energy of the estimate above the best of all states, by enumeration. 0 is perfect; compare it with the gain.",
    ),
    _Reading(
        "Posterior mass visited",
        lambda s: s.oracle.mass if s.oracle else None,
        text.share,
        "Posterior probability of the states visited, by enumeration. Low mass: more moves would find more.",
    ),
)


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
        parts.append(("time", text.duration(math.fsum(float(entry["seconds"]) for entry in record.timing))))
    if tables and tables[0].columns:
        return Headline(state, parts, tables[0].columns[0], f"on {tables[0].data}", _bars(tables[0]))
    return _validation_headline(record, state, parts)


def _bars(table: ScoreTable) -> list[Bar]:
    first = [(row, row.cells[0]) for row in table.rows]
    widest = max((abs(cell.value) for _, cell in first if math.isfinite(cell.value)), default=0)
    full = 1.0 if table.columns[0].percent else widest or 1.0
    return [
        Bar(row.name, row.own, _amount(cell.value, table.columns[0]), cell.interval, _width(cell.value / full))
        for row, cell in first
    ]


def _amount(value: float, column: Column) -> str:
    known = column.percent and math.isfinite(value)
    return text.score(value, column.percent) + (text.PERCENT if known else "")


def _validation_headline(record: RunRecord, state: str, parts: Sequence[tuple[str, str]]) -> Headline:
    known = [entry for entry in record.rounds if entry.validation]
    if not known:
        return Headline(state, parts, None, "", [])
    column = next(c for c in columns(record) if c.name in known[-1].validation)
    value = text.finite(known[-1].validation[column.name])
    full = 1.0 if column.percent else abs(value) or 1.0
    bar = Bar(f"round {known[-1].round}", True, _amount(value, column), "", _width(value / full))
    return Headline(state, parts, column, "on validation", [bar])


def objective(record: RunRecord) -> tuple[list[Card], Grid]:
    """Return the objective and its two terms, each at no adjustment and at the estimate (the paper's Figure 4)."""
    known = [entry for entry in record.rounds if entry.estimate is not None or entry.start is not None]
    terms: Sequence[tuple[str, str, Callable[[Energy], float]]] = (
        ("Objective", "The sum of the two terms. Joint training lowers the solid line.", lambda e: e.total),
        ("Upstream term", "How far the predicted reference is from the reference it is taught.", lambda e: e.upstream),
        ("Downstream term", "How badly the downstream task is solved inside the reference.", lambda e: e.downstream),
    )
    cards = []
    for title, reading, term in terms:
        lines = [
            figures.Line("at the estimate", [_term(entry.estimate, term) for entry in known]),
            figures.Line("no adjustment", [_term(entry.start, term) for entry in known], "b", dashed=True),
        ]
        figure = figures.chart([entry.round for entry in known], lines, title)
        cards.append(Card(title, text.number(lines[0].values[-1]) if known else text.MISSING, reading, figure))
    header = ["round", *(f"{title}, {where}" for title, _, _ in terms for where in ("no adjustment", "estimate"))]
    header += ["training, upstream", "training, downstream"]
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
    known = [entry for entry in record.rounds if entry.validation]
    used = [column for column in columns(record) if any(column.name in entry.validation for entry in known)]
    cards = []
    for column in used:
        scale = 100 if column.percent else 1
        values = [text.finite(entry.validation.get(column.name)) for entry in known]
        line = figures.Line(column.name, [scale * value for value in values])
        figure = figures.chart([entry.round for entry in known], [line], f"Validation {column.name}", small=True)
        reading = f"{column.better} is better" if column.better else ""
        title = f"{column.name}, %" if column.percent else column.name
        cards.append(Card(title, text.score(values[-1], column.percent), reading, figure))
    rows = [[str(entry.round), *(text.score(entry.validation.get(c.name), c.percent) for c in used)] for entry in known]
    return cards, Grid(["round", *(f"{c.name}, %" if c.percent else c.name for c in used)], rows)


def sampler(record: RunRecord) -> tuple[list[Card], Grid]:
    """Return the diagnostics of the E-steps, one card each, and how many examples were enumerated by round."""
    known = [(entry.round, entry.sampler) for entry in record.rounds if entry.sampler is not None]
    cards = []
    for item in _READINGS if known else ():
        values = [text.finite(item.value(seen)) for _, seen in known]
        scale = 100 if item.write is text.share else 1
        line = figures.Line(item.title, [scale * value for value in values])
        figure = figures.chart([number for number, _ in known], [line], item.title, small=True)
        cards.append(Card(item.title, item.write(values[-1]), item.reading, figure))
    rows = [
        [
            str(number),
            *(item.write(item.value(seen)) for item in _READINGS),
            text.count(seen.oracle.examples if seen.oracle else 0),
        ]
        for number, seen in known
    ]
    return cards, Grid(["round", *(item.title for item in _READINGS), "Examples enumerated"], rows)


def adjustments(record: RunRecord, coordinates: Sequence[str]) -> list[Card]:
    """Return the histogram of the estimates of each coordinate."""
    known = [entry for entry in record.rounds if entry.adjustment]
    cards = []
    for d in range(len(known[-1].adjustment) if known else 0):
        histograms = [entry.adjustment[d] if d < len(entry.adjustment) else {} for entry in known]
        levels = sorted({level for histogram in histograms for level in histogram}, key=float)
        name = coordinates[d] if d < len(coordinates) else f"coordinate {d + 1}"
        figure = figures.adjustment(f"Adjustment of {name}", levels, [entry.round for entry in known], histograms)
        cards.append(Card(name, _mean(known[-1], d), "", figure))
    return cards


def _mean(entry: RoundRecord, d: int) -> str:
    histogram = entry.adjustment[d]
    total = sum(histogram.values())
    mean = math.fsum(float(level) * count for level, count in histogram.items()) / total if total else math.nan
    return "" if math.isnan(mean) else f"mean {mean:+.3g}"


def phases(record: RunRecord) -> list[Phase]:
    """Return the time by phase over the whole run, in the order in which the phases first came."""
    seconds: dict[str, float] = {}
    for entry in record.timing:
        seconds[str(entry["phase"])] = seconds.get(str(entry["phase"]), 0.0) + float(entry["seconds"])
    total = math.fsum(seconds.values()) or 1.0
    return [
        Phase(name, text.duration(spent), text.share(spent / total), _width(spent / total))
        for name, spent in seconds.items()
    ]


def settings(record: RunRecord) -> str:
    """Return the resolved run file as TOML; keys without a value are left out, as TOML has none for them."""
    return tomli_w.dumps(_without_none(plain(record.config)))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value if item is not None]
    return value


def _width(fraction: float) -> float:
    return round(100 * min(1.0, max(0.0, fraction)), 2) if math.isfinite(fraction) else 0.0
