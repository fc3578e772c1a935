"""Figures as inline SVG: the same bytes for the same numbers, coloured by the page's style sheet."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "SIZE", "STYLE", "inside", "look", "make_room", "svg"]

SIZE = (3.3, 2.1)  # inches
_LEFT = 0.5  # inches: a label of five characters
_CHARACTER = 0.08  # inches: width of a digit in a wide font of 9 points

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


def look(position: int) -> tuple[str, bool]:
    """Return the colour of an arm by its position, and whether it is dashed or hollow: twelve can be told apart."""
    return list(COLOURS)[position % len(COLOURS)], position // len(COLOURS) % 2 == 1


def inside(size: tuple[float, float], left: float = _LEFT) -> tuple[float, float, float, float]:
    """Return the place of the axes in a figure of this size; sizes and the left margin in inches."""
    bottom, right, top = 0.4, 0.06, 0.16
    width, height = size
    return left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height


def make_room(axes: Axes, size: tuple[float, float]) -> None:
    """Widen the left margin of axes until their vertical tick labels fit, in a figure of this size in inches.

    The width is estimated from the number of characters: measuring text, as matplotlib's layouts do, is slow.
    """
    labels = axes.yaxis.get_major_formatter().format_ticks(list(axes.get_yticks()))
    longest = max(map(len, labels), default=0)
    axes.set_position(inside(size, max(_LEFT, 0.12 + _CHARACTER * longest)))


def svg(draw: Callable[[Figure], None], size: tuple[float, float], description: str) -> Markup:
    """Draw a figure of this size, in inches, with a text that stands for it."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE | {"svg.hashsalt": description}):  # ids differ between figures, not between runs
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
