"""Opacity of objects with fine edges, before and after refinement: ``python benchmarks/composites.py``.

Composites of 2,000 pixels whose opacity is known, because it was drawn: hair, wheels with spokes, leaves. They are
generated, the same in each run; behind them lie photographs of a folder (``--backgrounds ../shared/data/ECSSD/images``)
or generated colours. What is refined is the opacity as a network of 224 x 224 values would see it, without a fault of
its own (``ideal``), or what the model that ships finds in the drawn object's box (``model``). Closed-form matting
stands beside it where pymatting is installed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import cv2
import numpy as np
import typer
from attrs import frozen
from jointtask_object_extraction import Cutter
from jointtask_object_extraction.extract import alpha as alpha_module
from jointtask_object_extraction.extract.alpha import make_alpha, ramp
from jointtask_object_extraction.metrics.measures import mask_box
from jointtask_object_extraction.photograph import FRAME
from measuring import machine, table
from numpy.typing import NDArray

SIDES = (1500, 2000)
"""Height and width of a composite."""

FINER = 2
"""Opacity is drawn this much larger and reduced, so that its edges are soft."""

EACH = 8
"""Composites of each kind."""

BAND = 20
"""Pixels around what is partly opaque in which the error is counted, too."""

MATTING_PIXELS = 500_000
"""Size at which closed-form matting is tried, where pymatting is installed."""

Random = np.random.Generator


@frozen(eq=False)
class Composite:
    """An image (H, W, 3), uint8, and the opacity (H, W), float32, that it was made with."""

    kind: str
    image: NDArray[np.uint8]
    alpha: NDArray[np.float32]


def lines(canvas: NDArray[np.uint8], points: NDArray[np.floating], width: int) -> None:
    """Draw a line through points (N, 2), x and y in pixels of the composite."""
    fixed = np.rint(points * FINER * 16).astype(np.int32)
    cv2.polylines(canvas, [fixed[:, None]], False, 255, width, cv2.LINE_AA, shift=4)


def hair(canvas: NDArray[np.uint8], random: Random) -> None:
    """Draw a head, and some hundred strands that leave it and curl."""
    height, width = SIDES
    centre = np.array([width * random.uniform(0.4, 0.6), height * random.uniform(0.45, 0.6)])
    radii = np.array([width * random.uniform(0.13, 0.18), height * random.uniform(0.2, 0.28)])
    fixed = [tuple(int(v) for v in values * FINER) for values in (centre, radii)]
    cv2.ellipse(canvas, fixed[0], fixed[1], 0, 0, 360, 255, -1, cv2.LINE_AA)
    for _ in range(900):
        angle = random.uniform(0, 2 * np.pi)
        direction, turn = angle + random.normal(0, 0.5), random.normal(0, 0.02)
        steps = random.integers(10, 40)
        heading = direction + turn * np.arange(steps)
        start = centre + 0.97 * radii * np.array([np.cos(angle), np.sin(angle)])
        moves = random.uniform(5, 9) * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        lines(canvas, start + np.cumsum(moves, axis=0), int(random.integers(1, 5)))


def spokes(canvas: NDArray[np.uint8], random: Random) -> None:
    """Draw a wheel: tyre, hub and spokes, seen at an angle."""
    height, width = SIDES
    centre = np.array([width * random.uniform(0.4, 0.6), height * random.uniform(0.45, 0.55)])
    radius = height * random.uniform(0.3, 0.4)
    radii = radius * np.array([random.uniform(0.7, 1), 1])
    for share, thickness in ((1.0, random.uniform(18, 40)), (0.9, random.uniform(6, 12))):
        axes = tuple(int(v) for v in share * radii * FINER)
        cv2.ellipse(
            canvas, tuple(int(v) for v in centre * FINER), axes, 0, 0, 360, 255, int(thickness * FINER), cv2.LINE_AA
        )
    hub = tuple(int(v) for v in 0.12 * radii * FINER)
    cv2.ellipse(canvas, tuple(int(v) for v in centre * FINER), hub, 0, 0, 360, 255, -1, cv2.LINE_AA)
    count, width_of = int(random.integers(16, 40)), int(random.integers(4, 14))
    for angle in random.uniform(0, 1) + np.arange(count) * 2 * np.pi / count:
        ends = [centre + share * radii * [np.cos(angle), np.sin(angle)] for share in (0.05, 0.95)]
        lines(canvas, np.array(ends), width_of)


def leaves(canvas: NDArray[np.uint8], random: Random) -> None:
    """Draw a twig with leaves, between which the background shows."""
    height, width = SIDES
    for _ in range(int(random.integers(4, 7))):
        start = np.array([width * random.uniform(0.4, 0.6), height * 0.85])
        heading = random.normal(-np.pi / 2, 0.5) + random.normal(0, 0.012) * np.arange(60)
        twig = start + np.cumsum(height * 0.011 * np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0)
        lines(canvas, twig, int(random.integers(8, 20)))
        for place in twig[8::3]:
            angle, length = random.uniform(0, 2 * np.pi), random.uniform(40, 130)
            along = np.linspace(0, 1, 24)
            half = length * random.uniform(0.15, 0.3) * np.sin(np.pi * along) ** random.uniform(0.7, 1.5)
            outline = np.concatenate([np.stack([length * along, half], 1), np.stack([length * along, -half], 1)[::-1]])
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            fixed = np.rint((place + outline @ turn) * FINER * 16).astype(np.int32)
            cv2.fillPoly(canvas, [fixed[:, None]], 255, cv2.LINE_AA, shift=4)


KINDS: dict[str, Callable[[NDArray[np.uint8], Random], None]] = {"hair": hair, "spokes": spokes, "leaves": leaves}


def colours(random: Random, colour: NDArray[np.floating], contrast: float) -> NDArray[np.float32]:
    """Return a smooth pattern about a colour with some fine texture, (H, W, 3), in [0, 255]."""
    total = np.zeros((*SIDES, 3), np.float32) + colour.astype(np.float32)
    for cells, share in ((5, 1.0), (20, 0.5), (80, 0.25), (400, 0.2)):
        small = random.normal(0, contrast * share, (cells * SIDES[0] // SIDES[1] + 2, cells + 2, 3))
        total += cv2.resize(small.astype(np.float32), SIDES[::-1], interpolation=cv2.INTER_CUBIC)
    return total.clip(0, 255)


def behind(random: Random, photographs: list[Path]) -> NDArray[np.float32]:
    """Return a background, (H, W, 3), in [0, 255]: a photograph out of focus, or generated colours."""
    if not photographs:
        return colours(random, random.uniform(40, 215, 3), 35)
    path = photographs[int(random.integers(len(photographs)))]
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    return np.asarray(cv2.resize(image, SIDES[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def composites(backgrounds: Path | None, each: int = EACH) -> Iterator[Composite]:
    """Make the composites, one after the other."""
    photographs = sorted(backgrounds.glob("*.jpg")) if backgrounds else []
    for kind, draw in KINDS.items():
        for number in range(each):
            random = np.random.default_rng([number, *kind.encode()])
            canvas = np.zeros([FINER * side for side in SIDES], dtype=np.uint8)
            draw(canvas, random)
            alpha = cv2.resize(canvas, SIDES[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
            ground = behind(random, photographs)
            # An object is told from what is around it by its colour: one that is near the background's mean is redrawn.
            mean = ground.mean(axis=(0, 1))
            colour = next(c for c in random.uniform(20, 235, (1000, 3)) if np.abs(c - mean).max() > 70)
            front = colours(random, colour, 20)
            mixed = alpha[..., None] * front + (1 - alpha[..., None]) * ground
            noisy = mixed + random.normal(0, 2, mixed.shape)
            yield Composite(kind, np.rint(noisy.clip(0, 255)).astype(np.uint8), alpha)


def ideal(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return opacity as a network of 224 x 224 values can give it, (H, W)."""
    small = cv2.resize(alpha, (FRAME, FRAME), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def near_edges(alpha: NDArray[np.float32]) -> NDArray[np.bool_]:
    partial = ((alpha > 0.01) & (alpha < 0.99)).astype(np.uint8)
    return np.asarray(cv2.dilate(partial, np.ones((2 * BAND + 1,) * 2, np.uint8)) != 0)


def guided_filter_alone(image: NDArray[np.uint8], probability: NDArray[np.float32]) -> NDArray[np.float32]:
    with patch.object(alpha_module, "mix_by_colour", lambda image, small, probability, band: probability):
        return make_alpha(image, probability)


def closed_form(image: NDArray[np.uint8], probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Closed-form matting (Levin et al., TPAMI 2008) by pymatting, at the size that takes about as long as ours."""
    import pymatting

    height, width = probability.shape
    scale = (MATTING_PIXELS / (height * width)) ** 0.5
    size = round(width * scale), round(height * scale)
    small = cv2.resize(probability, size, interpolation=cv2.INTER_AREA).astype(np.float64)
    trimap = np.where(small < 0.05, 0.0, np.where(small > 0.95, 1.0, 0.5))
    found = pymatting.estimate_alpha_cf(cv2.resize(image, size, interpolation=cv2.INTER_AREA) / 255.0, trimap)
    return np.asarray(cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR))


STEPS: dict[str, Callable[[Any, Any], Any]] = {
    "probability": lambda image, probability: probability,
    "ramp": lambda image, probability: ramp(probability),
    "guided filter, ramp": guided_filter_alone,
    "colours, guided filter, ramp": make_alpha,
}
if find_spec("pymatting"):
    STEPS["closed-form matting"] = closed_form


def main(
    backgrounds: Annotated[
        Path | None, typer.Option(help="Folder of photographs to lie behind; else generated.")
    ] = None,
    each: Annotated[int, typer.Option(help="Composites of each kind.")] = EACH,
    show: Annotated[Path | None, typer.Option(help="Folder to write the composites to, with their opacity.")] = None,
) -> None:
    """Print the mean error of the opacity for each kind, before and after refinement."""
    cutter = Cutter(device="cpu")
    errors: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    spent: dict[str, list[float]] = {step: [] for step in STEPS}
    for number, composite in enumerate(composites(backgrounds, each)):
        image, alpha = composite.image, composite.alpha
        box = mask_box(alpha >= 0.5)
        assert box is not None  # each has an object
        band = near_edges(alpha)
        for name, probability in (("ideal", ideal(alpha)), ("model", cutter(image, box=box).probability)):
            for step, refine in STEPS.items():
                start = time.process_time()
                away = np.abs(refine(image, probability) - alpha)
                spent[step].append(time.process_time() - start)
                errors.setdefault((name, composite.kind, step), []).append((away.mean(), away[band].mean()))
        if show is not None:
            show.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(show / f"{number:02}-{composite.kind}.jpg"), image[..., ::-1])
            cv2.imwrite(str(show / f"{number:02}-{composite.kind}-alpha.png"), np.rint(255 * alpha).astype(np.uint8))
    print(f"{len(KINDS) * each} composites of {SIDES[1]} x {SIDES[0]}; {machine()}\n")
    for name in ("ideal", "model"):
        rows = []
        for step in STEPS:
            cells = []
            for kind in (*KINDS, None):
                rows_of = [v for (n, k, s), v in errors.items() if (n, s) == (name, step) and kind in (k, None)]
                whole, near = 100 * np.mean(np.concatenate(rows_of), axis=0)
                cells.append(f"{whole:.2f} ({near:.2f})")
            rows.append((step, *cells, f"{1e3 * statistics.median(spent[step]):.0f}"))
        print(table((f"{name}: MAE (near edges), %", *KINDS, "all", "ms"), rows))


if __name__ == "__main__":
    typer.run(main)
