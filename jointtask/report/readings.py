"""The diagnostics of the E-step: what each is called, how it is written, and how to read it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from jointtask.api.record import RunRecord, SamplerRecord
from jointtask.report import figures
from jointtask.report.view import Card, Grid
from jointtask.tools import text

__all__ = ["sampler"]


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


def sampler(record: RunRecord) -> tuple[list[Card], Grid]:
    """Return the diagnostics of the E-steps, one card each, and how many examples were enumerated by round."""
    known = [(entry.round, entry.sampler) for entry in record.rounds if entry.sampler is not None]
    cards = []
    for item in _READINGS if known else ():
        values = [text.finite(item.value(seen)) for _, seen in known]
        # Shares are drawn as finely as they are written: a mass of 1e-19 is 0.
        drawn = [round(100 * value, 1) for value in values] if item.write is text.share else values
        line = figures.Line(item.title, drawn)
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
