"""The pictures of the report: recordings with their intervals, labels and what was predicted."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask.api import Context, Draw, NoSettings, Panel, PanelData, PanelExample
from jointtask_event_detection.change_points import NAME
from jointtask_event_detection.recording import LENGTH, RATE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "panels"]

_DPI, _WIDTH, _ROW, _TOP, _LEFT = 100, 860, 150, 10, 110  # layout, in pixels

_LABEL, _PROBABILITY = "#0072b2", "#d55e00"  # Okabe and Ito


@frozen
class _Interval:
    """How one of the intervals is drawn, on a bar of its own below the recording."""

    label: str
    colour: str


_MARKED = _Interval("marked", "#56b4e9")
_BEFORE = _Interval("before adjustment", "#9aa0a6")
_AFTER = _Interval("after adjustment", "#e69f00")
_PREDICTED = _Interval("predicted", _PROBABILITY)


def panels(settings: NoSettings, context: Context) -> Draw:
    """Build what draws the panels."""
    return draw


def draw(data: PanelData) -> list[Panel]:
    """Draw recordings and their intervals: examples are `Recording`, predictions `Detection`.

    References are half-open intervals in samples. Change points are drawn where the batch has them. Without fixed or
    worst examples there is no panel of them.
    """
    drawn = []
    legend = (
        "Blue shading: samples labelled as the event; orange line: the predicted probability, from 0 to 1. The bars "
        "below are intervals: as marked, the reference before and after adjustment, and the predicted reference"
    )
    if data.fixed:
        ticks = "; grey ticks at the top: change points" if any(NAME in item.batch for item in data.fixed) else ""
        caption = f"Training examples, the same in every report of this run. {legend}{ticks}."
        drawn.append(Panel("Training examples", caption, _sheet(data.fixed, [_MARKED, _BEFORE, _AFTER, _PREDICTED])))
    if data.worst:
        caption = (
            f"The test examples with the worst {data.worst_by}, worst first. Blue shading: samples labelled as the "
            "event; orange line: the predicted probability. The bars are the marked and the predicted interval."
        )
        png = _sheet(data.worst, [_MARKED, _PREDICTED])
        drawn.append(Panel(f"Worst cases by {data.worst_by}", caption, png))
    return drawn


def _sheet(examples: Sequence[PanelExample], intervals: Sequence[_Interval]) -> bytes:
    """Draw one row an example."""
    from matplotlib.figure import Figure

    height = _TOP + len(examples) * _ROW + 24
    figure = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    bars = 11 * len(intervals) + 4
    for number, item in enumerate(examples):
        top = _TOP + number * _ROW
        figure.text(_LEFT / _WIDTH, 1 - top / height, _title(item), va="top", fontsize=8.5, parse_math=False)
        places = [(top + 16, _ROW - 30 - bars), (top + _ROW - 14 - bars, bars)]
        above, below = (
            figure.add_axes((_LEFT / _WIDTH, 1 - (y + high) / height, (_WIDTH - _LEFT - 12) / _WIDTH, high / height))
            for y, high in places
        )
        _recording(above, item)
        _bars(below, item, intervals)
        if number == len(examples) - 1:
            below.set_xticks(np.arange(0, LENGTH + 1, RATE), [f"{second} s" for second in range(LENGTH // RATE + 1)])
            below.tick_params(axis="x", length=0, labelsize=8)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None}, pil_kwargs={"optimize": True})
    return file.getvalue()


def _recording(axes: Axes, item: PanelExample) -> None:
    position = np.arange(LENGTH) + 0.5
    values = item.example.values
    low, high = float(values.min()), float(values.max())
    room = 0.08 * (high - low + 1e-6)
    low, high = low - room, high + room
    axes.fill_between(
        position, low, high, where=item.example.label > 0, step="mid", color=_LABEL, alpha=0.18, linewidth=0
    )
    axes.plot(position, values, color="#202124", linewidth=0.8)
    scaled = low + room + item.prediction.probability * (high - low - 2 * room)
    axes.plot(position, scaled, color=_PROBABILITY, linewidth=1.2)
    if NAME in item.batch:
        points = item.batch[NAME][0].numpy(force=True)
        axes.vlines(points[np.isfinite(points)], high - room, high, color="#70757a", linewidth=1.2)
    axes.set(xlim=(0, LENGTH), ylim=(low, high), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _bars(axes: Axes, item: PanelExample, intervals: Sequence[_Interval]) -> None:
    for row, interval in enumerate(intervals):
        ends = _ends(item, interval)
        if ends is not None:
            axes.barh(row, ends[1] - ends[0], left=ends[0], height=0.7, color=interval.colour)
    axes.set(xlim=(0, LENGTH), ylim=(len(intervals) - 0.4, -0.6), xticks=[])
    axes.set_yticks(range(len(intervals)), [interval.label for interval in intervals])
    axes.tick_params(length=0, labelsize=7.5, labelcolor="#555555")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _ends(item: PanelExample, interval: _Interval) -> NDArray[np.float32] | None:
    """Return one of the intervals of an example, (2,), None where there is none."""
    reference = {_BEFORE.label: item.base, _AFTER.label: item.estimate, _PREDICTED.label: item.predicted}
    if interval is _MARKED:
        marked: NDArray[np.float32] = item.example.marked
        return marked
    ends = reference[interval.label]
    return None if ends is None or not bool(ends.isfinite().all()) else ends.numpy(force=True)


def _title(item: PanelExample) -> str:
    return "   ".join([item.example.id, *(f"{metric} {value}" for metric, value in item.scores.items())])
