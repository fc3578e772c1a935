"""The pictures of the report: scenes with their angles, and the digit turned upright by each of them."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen
from torch import Tensor

from jointtask.api import Context, Draw, NoSettings, Panel, PanelData, PanelExample
from jointtask_digit_reading.reading import Reading
from jointtask_digit_reading.scene import CROP, FRAME, Scene, crop

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw", "panels"]

_DPI, _TILE, _GAP, _TOP, _BARS, _LABEL = 100, 120, 10, 26, 210, 20  # layout, in pixels


@frozen
class _Angle:
    """How one of the angles is drawn: told apart by colour, by lightness and by dashes."""

    label: str
    colour: str
    dashes: Any


_ANNOTATED = _Angle("annotated", "#56b4e9", (0, (1.5, 1.5)))
_ADJUSTED = _Angle("adjusted", "#f0e442", (0, (5, 2)))
_PREDICTED = _Angle("predicted", "#d55e00", "solid")


def panels(settings: NoSettings, context: Context) -> Draw:
    """Build what draws the panels."""
    return draw


def draw(data: PanelData) -> list[Panel]:
    """Draw scenes and their angles: examples are `Scene`, predictions `Reading`, references angles in degrees.

    Without fixed or worst examples there is no panel of them.
    """
    drawn = []
    legend = (
        "The lines in a scene point to where the top of the digit is; beside it, the middle of the scene turned upright"
        " by each angle, and the probability of each digit as the run predicts it (orange: the right digit)."
    )
    if data.fixed:
        caption = f"Training examples, the same in every report of this run. {legend}"
        drawn.append(Panel("Training examples", caption, _sheet(data.fixed, [_ANNOTATED, _ADJUSTED, _PREDICTED])))
    if data.worst:
        caption = f"The test examples with the worst {data.worst_by}, worst first. {legend}"
        png = _sheet(data.worst, [_ANNOTATED, _PREDICTED])
        drawn.append(Panel(f"Worst cases by {data.worst_by}", caption, png))
    return drawn


def _sheet(examples: Sequence[PanelExample], angles: Sequence[_Angle]) -> bytes:
    """Draw one row an example: the scene, a crop for each angle, the probabilities."""
    from matplotlib.figure import Figure

    row = _LABEL + _TILE + _GAP
    width = _GAP + (1 + len(angles)) * (_TILE + _GAP) + _BARS + _GAP
    height = _TOP + len(examples) * row
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    titles = ["scene", *(angle.label for angle in angles), "probability of each digit"]
    for k, title in enumerate(titles):
        figure.text((_GAP + k * (_TILE + _GAP)) / width, 1 - 6 / height, title, va="top", fontsize=8.5, color="#555555")
    for number, item in enumerate(examples):
        top = _TOP + number * row
        figure.text(_GAP / width, 1 - top / height, _title(item), va="top", fontsize=8.5, parse_math=False)
        top += _LABEL
        directions = [(angle, _degrees(item, angle)) for angle in angles]
        axes = _axes(figure, (_GAP, top, _TILE, _TILE))
        _scene(axes, item.example, directions)
        for k, (angle, degrees) in enumerate(directions, start=1):
            axes = _axes(figure, (_GAP + k * (_TILE + _GAP), top, _TILE, _TILE))
            _upright(axes, item.example, angle, degrees)
        left = _GAP + (1 + len(angles)) * (_TILE + _GAP)
        _probabilities(_axes(figure, (left, top, _BARS, _TILE - 16)), item.prediction, item.example.digit)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None}, pil_kwargs={"optimize": True})
    return file.getvalue()


def _axes(figure: Figure, bounds: tuple[int, int, int, int]) -> Axes:
    """Return axes at (left, top, width, height) in pixels from the upper left, without frame or ticks."""
    width, height = figure.get_size_inches() * _DPI
    left, top, wide, high = bounds
    axes = figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height))
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _degrees(item: PanelExample, angle: _Angle) -> float | None:
    """Return one of the angles of an example, None where there is none."""
    reference: Tensor | None = {
        _ANNOTATED.label: torch.tensor([item.example.annotated]),
        _ADJUSTED.label: item.estimate,
        _PREDICTED.label: item.predicted,
    }[angle.label]
    return None if reference is None or not bool(reference.isfinite().all()) else float(reference[0])


def _scene(axes: Axes, scene: Scene, angles: Sequence[tuple[_Angle, float | None]]) -> None:
    from matplotlib import patheffects

    axes.imshow(scene.image, cmap="gray", vmin=0, vmax=255, extent=(0, FRAME, FRAME, 0))
    middle = FRAME / 2
    for angle, degrees in angles:
        if degrees is not None:
            up = -math.sin(math.radians(degrees)), -math.cos(math.radians(degrees))  # y is downwards
            x, y = ([middle + length * component for length in (CROP / 2, 0.95 * middle)] for component in up)
            (line,) = axes.plot(x, y, color=angle.colour, linestyle=angle.dashes, linewidth=2.5)
            line.set_path_effects(
                [patheffects.Stroke(linewidth=4, foreground="black", alpha=0.5), patheffects.Normal()]
            )
    axes.set(xlim=(0, FRAME), ylim=(FRAME, 0))


def _upright(axes: Axes, scene: Scene, angle: _Angle, degrees: float | None) -> None:
    """Draw the middle of a scene turned upright; light grey where there is no such angle."""
    if degrees is None:
        axes.set_facecolor("#e1e1e1")
        return
    seen = crop(torch.from_numpy(scene.image)[None].float(), torch.tensor([[degrees]]))[0, 0]
    axes.imshow(seen.numpy(), cmap="gray", vmin=0, vmax=255)
    for side in ("top", "bottom", "left", "right"):
        axes.spines[side].set(visible=True, color=angle.colour, linewidth=2.5 if side == "top" else 0.8)
    text = f"{degrees:+.0f}°"
    axes.text(0.04, 0.93, text, transform=axes.transAxes, va="top", fontsize=8, color="white")


def _probabilities(axes: Axes, reading: Reading, digit: int) -> None:
    colours = ["#d55e00" if number == digit else "#8a8f98" for number in range(10)]
    axes.bar(range(10), reading.probability, color=colours, width=0.8)
    axes.set(ylim=(0, 1), xlim=(-0.6, 9.6))
    axes.set_xticks(range(10))
    axes.tick_params(length=0, labelsize=8)
    axes.spines["bottom"].set(visible=True, color="#d0d0d0")


def _title(item: PanelExample) -> str:
    read = f"{item.example.digit} read as {item.prediction.digit}"
    scores = (f"{metric} {value}" for metric, value in item.scores.items())
    return "   ".join([item.example.id, read, *scores])
