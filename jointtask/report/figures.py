"""The figures of the report: lines over rounds, and histograms of adjustments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from markupsafe import Markup

from jointtask.tools.plot import COLOURS, SIZE, inside, make_room, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Line", "adjustment", "chart"]

_SMALL = (2.6, 1.7)  # inches
_LEAST_SPAN = 0.02  # least span of an axis, as a share of its values: a smaller one shows noise as a trend


@frozen
class Line:
    """One line of a chart.

    Attributes
    ----------
    label : str
        Name of the line in the figure's text alternative.
    values : sequence of float
        Values, one per round; NaN is a gap.
    colour : str
        Name of one of `COLOURS`.
    dashed : bool
        Whether the line is dashed, to be told apart without colour.
    band : sequence of pairs of float
        Range around each value; empty for none.
    """

    label: str
    values: Sequence[float]
    colour: str = "a"
    dashed: bool = False
    band: Sequence[tuple[float, float]] = ()


def chart(rounds: Sequence[int], lines: Sequence[Line], title: str, *, small: bool = False) -> Markup | None:
    """Draw lines over rounds.

    Parameters
    ----------
    rounds : sequence of int
        Round numbers, the horizontal axis.
    lines : sequence of Line
        Lines to draw.
    title : str
        Name of the figure in its text alternative; not drawn.
    small : bool
        Whether the figure is for a narrow card.

    Returns
    -------
    Markup or None
        None if there is nothing to draw.
    """
    lines = [line for line in lines if any(math.isfinite(value) for value in line.values)]
    if not lines:
        return None

    size = _SMALL if small else SIZE

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.add_axes(inside(size))
        for line in lines:
            if line.band:
                low, high = zip(*line.band, strict=True)
                axes.fill_between(rounds, low, high, color=COLOURS[line.colour], alpha=0.15, linewidth=0)
            axes.plot(
                rounds,
                line.values,
                color=COLOURS[line.colour],
                linestyle=(0, (4, 2)) if line.dashed else "solid",
                linewidth=1.8,
                marker="o",
                markersize=3.5 if len(rounds) <= 30 else 0,
            )
        axes.set_xticks(rounds[:: _step(rounds)])
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.ticklabel_format(axis="y", useOffset=False, scilimits=(-3, 5))
        axes.margins(y=0.12)
        bottom, top = axes.get_ylim()
        short = max(0.0, _LEAST_SPAN * max(abs(bottom), abs(top)) - (top - bottom)) / 2
        axes.set_ylim(bottom - short, top + short)
        make_room(axes, size)
        axes.set_xlim(min(rounds) - 0.4, max(rounds) + 0.4)
        axes.set_xlabel("round")

    return svg(draw, size, _description(title, rounds, lines))


def adjustment(
    title: str, levels: Sequence[str], rounds: Sequence[int], histograms: Sequence[Mapping[str, int]]
) -> Markup:
    """Draw the estimates of one coordinate: shares by level over the rounds, and a histogram of the last round.

    Parameters
    ----------
    title : str
        Name of the figure in its text alternative; not drawn.
    levels : sequence of str
        Levels of the coordinate, lowest first.
    rounds : sequence of R int
        Round numbers, at least one.
    histograms : sequence of R mappings of str to int
        Counts by level, one histogram a round; a level that is absent has none.
    """
    shares = [[_share(histogram, level) for histogram in histograms] for level in levels]
    most = max((share for row in shares for share in row), default=0) or 1.0

    def draw(figure: Figure) -> None:
        import numpy as np
        from matplotlib.colors import to_rgb
        from matplotlib.ticker import MaxNLocator

        left, bottom, width, height = inside(_SMALL)
        over = figure.add_axes((left, bottom, 0.56 * width, height))
        last = figure.add_axes((left + 0.6 * width, bottom, 0.4 * width, height), sharey=over)
        colour = np.array([[[*to_rgb(COLOURS["a"]), share / most] for share in row] for row in shares])
        over.grid(False)
        edges = np.arange(len(rounds) + 1) - 0.5, np.arange(len(levels) + 1) - 0.5
        over.pcolormesh(*edges, colour, antialiased=False)  # antialiasing shows seams between the cells
        step = _step(rounds)
        over.set_xticks(range(0, len(rounds), step), [str(number) for number in rounds[::step]])
        over.set_xlabel("round")
        skip = max(1, math.ceil(len(levels) / 11))
        over.set_yticks(range(0, len(levels), skip), levels[::skip])
        last.grid(visible=True, axis="x")
        last.grid(visible=False, axis="y")
        last.barh(range(len(levels)), [100 * row[-1] for row in shares], color=COLOURS["a"], height=0.75)
        last.set_xlabel(f"round {rounds[-1]}, %")
        last.tick_params(labelleft=False)
        last.set_xlim(left=0)
        last.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))

    parts = ", ".join(f"{level}: {100 * row[-1]:.0f} %" for level, row in zip(levels, shares, strict=True))
    return svg(draw, _SMALL, f"{title}. Round {rounds[-1]}: {parts}.")


def _share(histogram: Mapping[str, int], level: str) -> float:
    return histogram.get(level, 0) / max(1, sum(histogram.values()))


def _step(rounds: Sequence[int]) -> int:
    return max(1, math.ceil(len(rounds) / 6))  # six labels fit the narrowest figure


def _description(title: str, rounds: Sequence[int], lines: Sequence[Line]) -> str:
    parts = []
    for line in lines:
        points = [(k, v) for k, v in zip(rounds, line.values, strict=True) if math.isfinite(v)]
        (first, start), (last, end) = points[0], points[-1]
        path = f"{end:.4g} in round {last}"
        parts.append(f"{line.label}: {path if first == last else f'{start:.4g} in round {first}, {path}'}")
    return f"{title}. {'; '.join(parts)}."
