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
    """One diagnostic of the E-step: its title, its value in a record, its format, and how to read it."""

    title: str
    value: Callable[[SamplerRecord], float | None]
    write: Callable[[float | None], str]
    reading: str


_READINGS = (
    _Reading(
        "Acceptance",
        lambda s: s.acceptance,
        text.share,
        "The sampler proposes a change of the reference (a move) and accepts or refuses it; this is the share "
        "accepted. Near 0 % it stays where it starts; near 100 % what is proposed is already likely.",
    ),
    _Reading(
        "States visited",
        lambda s: s.visited,
        text.number,
        "Number of different adjustments that the sampler came through, an example. Near 1, nothing was explored.",
    ),
    _Reading(
        "States evaluated",
        lambda s: s.evaluated,
        text.number,
        "Number of different adjustments for which the downstream network was run, an example: what the E-step costs.",
    ),
    _Reading(
        "Energy gained",
        lambda s: s.gain,
        text.number,
        "The energy is minus the log likelihood that both networks give an example, so lower is better. This is the"
        " energy of the annotated reference minus that of the reference chosen; 0 means that adjusting changed "
        "nothing.",
    ),
    _Reading(
        "Examples moved",
        lambda s: s.moved,
        text.share,
        "Share of the training examples whose chosen reference (the estimate) differs from the annotated one.",
    ),
    _Reading(
        "Effective draws",
        lambda s: s.effective,
        text.number,
        "Number of independent draws that carry as much as an example's draws. Far below their number, draws repeat"
        " each other.",
    ),
    _Reading(
        "Regret to the optimum",
        lambda s: s.oracle.regret if s.oracle else None,
        text.number,
        "How far the energy of the chosen reference is above the lowest of all adjustments, on a few examples for "
        "which all were tried. 0 is perfect; compare it with the energy gained.",
    ),
    _Reading(
        "Posterior mass visited",
        lambda s: s.oracle.mass if s.oracle else None,
        text.share,
        "Probability, under both networks, of the adjustments visited, on a few examples for which all were tried. "
        "If it is low, more moves would find more.",
    ),
)


def sampler(record: RunRecord) -> tuple[list[Card], Grid]:
    """Return the diagnostics of the E-steps, one card each, and how many examples were enumerated by round."""
    sampled = [(entry.round, entry.sampler) for entry in record.rounds if entry.sampler is not None]
    cards = []
    for item in _READINGS if sampled else ():
        values = [text.finite(item.value(seen)) for _, seen in sampled]
        # Shares are drawn as finely as they are written: a mass of 1e-19 is 0.
        drawn = [round(100 * value, 1) for value in values] if item.write is text.share else values
        line = figures.Line(item.title, drawn)
        figure = figures.chart([number for number, _ in sampled], [line], item.title, small=True)
        cards.append(Card(item.title, item.write(values[-1]), item.reading, figure))
    rows = [
        [
            str(number),
            *(item.write(item.value(seen)) for item in _READINGS),
            text.count(seen.oracle.examples if seen.oracle else 0),
        ]
        for number, seen in sampled
    ]
    return cards, Grid(["round", *(item.title for item in _READINGS), "Examples enumerated"], rows)
