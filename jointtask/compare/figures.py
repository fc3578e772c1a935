"""The figures of a comparison: arms over the rounds, and scores against what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from jointtask.compare.record import Comparison, Cost, SeedRecord
from jointtask.report.figures import Line, chart
from jointtask.tools.plot import COLOURS, SIZE, inside, look, make_room, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["against_cost", "over_rounds"]


def over_rounds(comparison: Comparison, values: Callable[[SeedRecord], Sequence[float]], title: str) -> Markup | None:
    """Draw a line for each arm over the rounds: the mean over its seeds, and around it their range.

    Parameters
    ----------
    comparison : Comparison
        Comparison to draw.
    values : callable
        Function of a run that returns one number for each of its rounds; NaN is a gap.
    title : str
        Name of the figure in its text alternative; not drawn.

    Returns
    -------
    Markup or None
        None if there is nothing to draw.
    """
    arms: list[dict[int, list[float]]] = []
    for arm in comparison.arms:
        by_round: dict[int, list[float]] = {}
        for run in arm.runs:
            for number, value in zip(run.rounds, values(run), strict=True):
                if math.isfinite(value):
                    by_round.setdefault(number, []).append(value)
        arms.append(by_round)
    rounds = sorted({number for by_round in arms for number in by_round})
    lines = []
    for position, (arm, by_round) in enumerate(zip(comparison.arms, arms, strict=True)):
        seen = [by_round.get(number, [math.nan]) for number in rounds]
        band = [(min(some), max(some)) for some in seen] if max(map(len, seen), default=0) > 1 else []
        lines.append(Line(arm.name, [math.fsum(some) / len(some) for some in seen], *look(position), band))
    return chart(rounds, lines, title)


def against_cost(
    comparison: Comparison, name: str, scale: float, cost: Callable[[Cost], float], across: str
) -> Markup | None:
    """Draw a score, upwards, against a cost: a large point for the mean of each arm, small ones for its runs.

    Parameters
    ----------
    comparison : Comparison
        Comparison to draw.
    name : str
        Name of the summary.
    scale : float
        Factor on the summary.
    cost : callable
        Function that returns one of the costs of a run.
    across : str
        Label of the horizontal axis.

    Returns
    -------
    Markup or None
        None if there is nothing to draw.
    """
    clouds = []
    for position, arm in enumerate(comparison.arms):
        points = [(cost(run.cost), scale * run.values.get(name, math.nan)) for run in arm.runs if run.cost is not None]
        if points := [point for point in points if math.isfinite(point[1])]:
            clouds.append(
                (arm.name, *look(position), points, [math.fsum(x) / len(points) for x in zip(*points, strict=True)])
            )
    if not clouds:
        return None

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.add_axes(inside(SIZE))
        for _, colour, hollow, points, mean in clouds:
            if len(points) > 1:
                axes.plot(
                    *zip(*points, strict=True), "o", color=COLOURS[colour], alpha=0.45, markersize=4, markeredgewidth=0
                )
            face = "none" if hollow else COLOURS[colour]
            axes.plot(*mean, "o", color=COLOURS[colour], markerfacecolor=face, markersize=8)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.ticklabel_format(useOffset=False, scilimits=(-3, 5))
        axes.margins(0.15)
        axes.set_xlim(left=0)
        axes.set_xlabel(across)
        make_room(axes, SIZE)

    parts = "; ".join(f"{label}: {y:.4g} at {x:.4g}" for label, _, _, _, (x, y) in clouds)
    return svg(draw, SIZE, f"{name} by {across}. {parts}.")
