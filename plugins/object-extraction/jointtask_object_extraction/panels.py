"""The pictures of the report: photographs with their boxes, superpixels and masks."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask.api import Context, Draw, NoSettings, Panel, PanelData, PanelExample
from jointtask_object_extraction.extract.alpha import make_alpha
from jointtask_object_extraction.photograph import FRAME

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

__all__ = ["draw", "panels"]

TILE = 200
"""Longer side of a tile, in pixels of the picture."""

_DPI, _GAP, _TOP, _LABEL = 100, 8, 46, 22  # layout, in pixels

_BOUNDARIES = "superpixel-boundary"  # the proposal term whose prepared maps are drawn
_GROUND = 200  # grey level behind cut-outs
_VERMILION, _SKY, _YELLOW, _BLUE = (213, 94, 0), (86, 180, 233), (240, 228, 66), (0, 114, 178)  # Okabe and Ito

Image = NDArray[np.uint8]


@frozen
class _Box:
    """How one of the boxes is drawn: told apart by colour, by lightness and by dashes."""

    label: str
    colour: tuple[int, int, int]
    dashes: Any


_PREDICTED = _Box("predicted box", _VERMILION, "solid")
_BASE = _Box("reference before adjustment", _SKY, (0, (1.5, 1.5)))
_ESTIMATE = _Box("reference after adjustment", _YELLOW, (0, (5, 2)))


def panels(settings: NoSettings, context: Context) -> Draw:
    """Build what draws the panels."""
    return draw


def draw(data: PanelData) -> list[Panel]:
    """Draw photographs and what was extracted from them: examples are `Photograph`, predictions `Extraction`.

    References are half-open (x1, y1, x2, y2) in frame units. Superpixel boundaries are drawn where the batch has them.
    Without fixed, worst or best examples there is no panel of them.
    """
    panels = []
    if data.fixed:
        columns: list[tuple[str, _Tile]] = [("boxes", _boxes), ("annotated mask", _annotated)]
        columns += [("predicted mask", _predicted), ("difference", _difference)]
        seen = (
            "the photograph with its boxes, the annotated mask, the predicted mask (grey: unsure), and the difference"
        )
        if any(_BOUNDARIES in item.batch for item in data.fixed):
            columns.insert(1, ("superpixels", _superpixels))
            seen = seen.replace(
                ", the annotated", ", its superpixel boundaries with the adjusted reference, the annotated"
            )
        caption = f"Training examples, the same in every report of this run: {seen} ({_LEGEND})."
        panels.append(Panel("Training examples", caption, _sheet(data.fixed, columns, [_PREDICTED, _BASE, _ESTIMATE])))
    columns = [("predicted box", _boxes), ("annotated mask", _annotated), ("predicted mask", _predicted)]
    columns += [("difference", _difference), ("cut-out", _cutout)]
    for kind, items, meaning in (
        ("worst", data.worst, "what the run does not handle yet"),
        ("best", data.best, "what it handles"),
    ):
        if items:
            caption = (
                f"The test examples with the {kind} {data.worst_by}, {kind} first: {meaning}. In the difference, "
                f"{_LEGEND}; the cut-out is what jointtask extract writes, on grey."
            )
            title = f"{kind.capitalize()} cases by {data.worst_by}"
            panels.append(Panel(title, caption, _sheet(items, columns, [_PREDICTED])))
    return panels


_LEGEND = "white is right, vermilion predicted and not annotated, blue annotated and not predicted"

Size = tuple[int, int]
"""Rows and columns of a tile."""

_Drawn = tuple[Image, "Sequence[tuple[Tensor | None, _Box]]"]
"""The pixels of a tile, and the boxes to lay over them."""

_Tile = Callable[[PanelExample, Size], _Drawn]


def _sheet(examples: Sequence[PanelExample], columns: Sequence[tuple[str, _Tile]], boxes: Sequence[_Box]) -> bytes:
    """Draw one row per example and one tile per column, and return the PNG."""
    sizes = [_fit(item.example.image.shape) for item in examples]
    width = _GAP + len(columns) * (TILE + _GAP)
    height = _TOP + sum(rows + _LABEL + _GAP for rows, _ in sizes)
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    figure, axes = _paper(width, height)
    _legend(axes, boxes)
    for k, (title, _) in enumerate(columns):
        _write(axes, _GAP + k * (TILE + _GAP), _TOP - 16, title, color="#555555")
    top = _TOP
    for item, (rows, cols) in zip(examples, sizes, strict=True):
        for k, (_, tile) in enumerate(columns):
            left = _GAP + k * (TILE + _GAP)
            pixels, overlays = tile(item, (rows, cols))
            canvas[top : top + rows, left : left + cols] = pixels
            for reference, box in overlays:
                _rectangle(axes, reference, box, (left, top, cols, rows))
        _write(axes, _GAP, top + rows + 4, _title(item))
        top += rows + _LABEL + _GAP
    axes.imshow(canvas, extent=(0, width, height, 0), aspect="auto", interpolation="none")
    return _png(figure)


def _paper(width: int, height: int) -> tuple[Figure, Axes]:
    """Return a figure of this many pixels, and axes over all of it whose units are pixels from the upper left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    return figure, axes


def _legend(axes: Axes, boxes: Sequence[_Box]) -> None:
    from matplotlib.lines import Line2D

    left = float(_GAP)
    for box in boxes:
        line = Line2D([left, left + 30], [12, 12], color=_rgb(box.colour), linestyle=box.dashes, linewidth=2)
        line.set_path_effects(_edge())
        axes.add_line(line)
        _write(axes, left + 38, 6, box.label)
        left += 60 + 7 * len(box.label)


def _fit(shape: Sequence[int]) -> Size:
    """Return (rows, columns) of a tile that holds an image of this shape, its longer side TILE pixels."""
    scale = TILE / max(shape[0], shape[1])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _boxes(item: PanelExample, size: Size) -> _Drawn:
    return _photograph(item, size), ((item.base, _BASE), (item.estimate, _ESTIMATE), (item.predicted, _PREDICTED))


def _superpixels(item: PanelExample, size: Size) -> _Drawn:
    image = _photograph(item, size)
    if _BOUNDARIES not in item.batch:
        return image, ()
    packed = np.asarray(item.batch[_BOUNDARIES].cpu(), dtype=np.uint8)
    boundary = np.unpackbits(packed.ravel())[: FRAME * FRAME].reshape(FRAME, FRAME)
    shown = cv2.resize(boundary.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)[..., None] * 0.6
    blended: Image = np.rint(image * (1 - shown) + 255 * shown).astype(np.uint8)
    return blended, ((item.estimate, _ESTIMATE),)


def _annotated(item: PanelExample, size: Size) -> _Drawn:
    return _nothing(size) if item.example.mask is None else _grey(item.example.mask.astype(np.float32), size), ()


def _predicted(item: PanelExample, size: Size) -> _Drawn:
    return _grey(item.prediction.probability, size), ()


def _difference(item: PanelExample, size: Size) -> _Drawn:
    annotated = item.example.mask
    if annotated is None:
        return _nothing(size), ()
    predicted = item.prediction.probability >= 0.5
    shown = np.zeros((*annotated.shape, 3), dtype=np.uint8)
    shown[predicted & annotated] = 255
    shown[predicted & ~annotated] = _VERMILION
    shown[~predicted & annotated] = _BLUE
    return _resize(shown, size), ()


def _cutout(item: PanelExample, size: Size) -> _Drawn:
    image = item.example.image
    alpha = make_alpha(image, np.nan_to_num(item.prediction.probability).astype(np.float32))[..., None]
    return _resize(np.rint(alpha * image + (1 - alpha) * _GROUND).astype(np.uint8), size) & np.uint8(0xFC), ()


def _photograph(item: PanelExample, size: Size) -> Image:
    # Two bits less than a screen can show take a third off the file.
    shown: Image = _resize(item.example.image, size) & np.uint8(0xFC)
    return shown


def _grey(probability: NDArray[np.float32], size: Size) -> Image:
    level = np.rint(255 * np.nan_to_num(probability)).clip(0, 255).astype(np.uint8)
    return _resize(np.repeat(level[..., None], 3, axis=2), size)


def _nothing(size: Size) -> Image:
    """Return the tile of a photograph without annotation: light grey."""
    return np.full((*size, 3), 225, dtype=np.uint8)


def _resize(image: Image, size: Size) -> Image:
    """Resize (H, W, 3) to (rows, columns): areas averaged on the way down."""
    shrinks = size[0] < image.shape[0]
    resized: Image = np.asarray(
        cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), dtype=np.uint8
    )
    return resized


def _rectangle(axes: Axes, reference: Tensor | None, box: _Box, tile: tuple[int, int, int, int]) -> None:
    """Lay a box in frame units over the tile at `place`, (left, top, columns, rows), and not beyond it."""
    if reference is None or not bool(reference.isfinite().all()):
        return
    from matplotlib.patches import Rectangle

    left, top, cols, rows = tile
    x1, y1, x2, y2 = (float(value) / FRAME for value in reference)
    patch = Rectangle((left + x1 * cols, top + y1 * rows), (x2 - x1) * cols, (y2 - y1) * rows, fill=False)
    patch.set(edgecolor=_rgb(box.colour), linestyle=box.dashes, linewidth=2, path_effects=_edge())
    axes.add_patch(patch)
    patch.set_clip_path(Rectangle((left, top), cols, rows, transform=axes.transData))


def _edge() -> list[Any]:
    """Return a dark edge around a line, so that it shows on any photograph."""
    from matplotlib import patheffects

    solid = {"dash_offset": 0, "dash_list": None}
    return [patheffects.Stroke(linewidth=3.2, foreground="#000000", dashes=solid, alpha=0.55), patheffects.Normal()]


def _title(item: PanelExample) -> str:
    name = "".join(c if c.isprintable() and ord(c) < 0x250 else ascii(c)[1:-1] for c in item.example.id)
    name = name if len(name) <= 60 else f"{name[:28]}…{name[-31:]}"
    return "   ".join([name, *(f"{metric} {value}" for metric, value in list(item.scores.items())[:4])])


def _write(axes: Axes, left: float, top: float, text: str, **style: Any) -> None:
    """Write text with its upper left corner here; never as mathematics, whatever it holds."""
    axes.text(left, top, text, va="top", fontsize=8.5, parse_math=False, **style)


def _rgb(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255


def _png(figure: Figure) -> bytes:
    """Return the figure as a PNG, the same bytes for the same picture."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None}, pil_kwargs={"optimize": True})
    return file.getvalue()
