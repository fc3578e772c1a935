"""Figures as inline SVG: the same bytes for the same numbers, coloured by the page's style sheet."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen
from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "SIZE", "STYLE", "Line", "adjustment", "chart", "inside", "svg"]

SIZE, _SMALL = (3.3, 2.1), (2.6, 1.7)  # inches
_LEAST_SPAN = 0.02  # of an axis, as a share of its values: noise should not look like a fall

# Drawn in these colours, then replaced by the page's variables: a figure follows light and dark mode.
_INK, _RULE = "#101112", "#d0d1d2"
COLOURS = {"a": "#0072b2", "b": "#d55e00", "c": "#009e73", "d": "#cc79a7", "e": "#e69f00", "f": "#6a5acd"}
"""Of series, by the names of the page's variables: Okabe and Ito's, safe for the colour-blind, and a violet."""
_VARIABLES = {_INK: "ink", _RULE: "rule"} | {colour: name for name, colour in COLOURS.items()}

# What a stand-alone file needs and a page does not: rules for all elements, name spaces, fonts, ids of one file only.
_SURPLUS = (
    r"""<metadata>.*?</metadata>|<style.*?</style>| xmlns(:\w+)?="[^"]*"| font-family: [^;]*;| id="[\w.]+_\d+\""""
)

STYLE: Any = {  # matplotlib's own type names every key of one version of it
    "axes.edgecolor": _RULE,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.labelcolor": _INK,
    "font.family": "sans-serif",
    "font.size": 9,
    "grid.color": _RULE,
    "grid.linewidth": 0.6,
    "svg.fonttype": "none",
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}
"""What matplotlib is told about all of them."""


@frozen
class Line:
    """One line of a chart.

    Attributes
    ----------
    label : str
        What it is, for the text that stands for the figure.
    values : sequence of float
        One per round; NaN is a gap.
    colour : str
        One of `COLOURS`.
    dashed : bool
        Told apart without colour.
    band : sequence of pairs of float
        The range around each value; empty for none.
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
        The horizontal axis.
    lines : sequence of Line
        What to draw.
    title : str
        Names the figure in the text that stands for it; not drawn.
    small : bool
        For a narrow card.

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
        Names the figure in the text that stands for it; not drawn.
    levels : sequence of str
        The levels, lowest first.
    rounds : sequence of R int
        At least one.
    histograms : sequence of R mappings of str to int
        Count by level; a level that is absent has none.
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
        over.pcolormesh(*edges, colour, antialiased=False)  # else seams show between the cells
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


def inside(size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Return the place of the axes in a figure of this size, in inches; margins are fixed, as fitting them is slow."""
    left, bottom, right, top = 0.5, 0.4, 0.06, 0.16
    width, height = size
    return left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height


def _description(title: str, rounds: Sequence[int], lines: Sequence[Line]) -> str:
    parts = []
    for line in lines:
        known = [(k, v) for k, v in zip(rounds, line.values, strict=True) if math.isfinite(v)]
        (first, start), (last, end) = known[0], known[-1]
        path = f"{end:.4g} in round {last}"
        parts.append(f"{line.label}: {path if first == last else f'{start:.4g} in round {first}, {path}'}")
    return f"{title}. {'; '.join(parts)}."


def svg(draw: Callable[[Figure], None], size: tuple[float, float], description: str) -> Markup:
    """Draw a figure of this size, in inches, with a text that stands for it."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE | {"svg.hashsalt": description}):  # ids: the same again, unlike other figures'
        figure = Figure(figsize=size)
        figure.patch.set_alpha(0)
        draw(figure)
        for axes in figure.axes:
            axes.patch.set_alpha(0)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(_SURPLUS, "", text, flags=re.DOTALL)
    for colour, name in _VARIABLES.items():
        text = text.replace(colour, f"var(--{name})")
    label = Markup('<svg role="img" aria-label="{}" ').format(description)
    return Markup(text.replace("<svg ", label, 1))  # drawn here; the only foreign text is escaped above
