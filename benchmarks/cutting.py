"""What cut-outs gain by each step, and whether their scores can be believed.

    python benchmarks/cutting.py edges ../shared/data/ECSSD --limit 300
    python benchmarks/cutting.py bands ../shared/data/DUTS-TR --ids ../shared/data/DUTS-TR/val.txt --limit 300
    python benchmarks/cutting.py scores ../shared/data/PASCAL-S-dev --figure docs/images/expected-j.svg
    python benchmarks/cutting.py prompts ../shared/data/PASCAL-S-dev --limit 60
    python benchmarks/cutting.py memory ../shared/data/DUTS-TR --limit 500

A folder of data holds `images` and `masks` of the same stems.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from jointtask_object_extraction import Cutter
from jointtask_object_extraction.bridge.box import BoxBridge
from jointtask_object_extraction.data.decode import decode_image
from jointtask_object_extraction.data.masks import decode_mask
from jointtask_object_extraction.extract.alpha import make_alpha, ramp
from jointtask_object_extraction.extract.colours import foreground_colours
from jointtask_object_extraction.extract.images import Extractor
from jointtask_object_extraction.extract.inputs import Job
from jointtask_object_extraction.extract.outputs import DEFAULT, Outputs
from jointtask_object_extraction.metrics.measures import iou
from jointtask_object_extraction.photograph import Photograph
from measuring import machine, table
from numpy.typing import NDArray

from jointtask.tools.statistics import bootstrap_interval

LIMIT = 10**8
BAND = 5
"""Pixels on both sides of the annotated contour."""

TOLERANCE = 2
"""Pixels by which a contour may be off in the boundary F."""

MOST_GROWTH = 50
"""MiB by which memory may grow from the 50th image to the last."""

app = typer.Typer(add_completion=False)
Folder = Annotated[Path, typer.Argument(help="Folder with `images` and `masks`.")]
Limit = Annotated[int, typer.Option(help="Number of images, in the order of their names or of the list; 0: all.")]
Ids = Annotated[Path | None, typer.Option(help="Text file with one id a line.")]


def read(folder: Path, ids: Path | None, limit: int) -> Iterator[Photograph]:
    names = ids.read_text().split() if ids else sorted(path.stem for path in (folder / "images").iterdir())
    for name in names[: limit or None]:
        image = decode_image(folder / "images" / f"{name}.jpg", LIMIT)
        mask, _ = decode_mask(folder / "masks" / f"{name}.png", image.shape[:2], LIMIT)
        yield Photograph(name, image, mask)


def disc(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2), dtype=np.uint8)


def near_contour(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    grown, shrunk = cv2.dilate(mask.astype(np.uint8), disc(BAND)), cv2.erode(mask.astype(np.uint8), disc(BAND))
    return (grown != 0) & (shrunk == 0)


def contour(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return mask & (cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)


def boundary_f(predicted: NDArray[np.bool_], annotated: NDArray[np.bool_]) -> float:
    a, b = contour(predicted), contour(annotated)
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    near_a, near_b = (cv2.dilate(line.astype(np.uint8), disc(TOLERANCE)) != 0 for line in (a, b))
    precision, recall = (a & near_b).sum() / a.sum(), (b & near_a).sum() / b.sum()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


@app.command()
def edges(folder: Folder, ids: Ids = None, limit: Limit = 300) -> None:
    """Compare the raw probability, the ramp alone, and opacity with refined edges."""
    cutter = Cutter(device="cpu")
    steps = {"probability": lambda i, p: p, "ramp": lambda i, p: ramp(p), "opacity": make_alpha}
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in steps}
    colours = []
    for photograph in read(folder, ids, limit):
        mask: Any = photograph.mask
        probability = cutter(photograph).probability
        for name, step in steps.items():
            start = time.process_time()
            alpha = step(photograph.image, probability)
            spent = time.process_time() - start
            away, haze = np.abs(alpha - mask), ((alpha > 0.05) & (alpha < 0.5)).sum() / max(1, (alpha >= 0.5).sum())
            j, f = iou(alpha, mask), boundary_f(alpha >= 0.5, mask)
            rows[name].append((away.mean(), away[near_contour(mask)].mean(), f, j, haze, spent))
        start = time.process_time()
        foreground_colours(photograph.image, alpha)
        colours.append(time.process_time() - start)
    head = ("", "MAE", f"MAE within {BAND} pixels", f"boundary F ({TOLERANCE} pixels)", "J", "haze", "processor, ms")
    lines = []
    for name, values in rows.items():
        means = 100 * np.mean(values, axis=0)
        lines.append((name, *(f"{value:.2f} %" for value in means[:-1]), f"{10 * means[-1]:.1f}"))
    print(f"{len(colours)} images of {folder}; {machine()}\n\n{table(head, lines)}")
    print(f"Foreground colours: median {1e3 * statistics.median(colours):.1f} ms of the processor an image.")


@app.command()
def bands(folder: Folder, ids: Ids = None, limit: Limit = 300) -> None:
    """Compare averaging over all references with averaging over those that cover a pixel."""
    cutter = Cutter(device="cpu")
    covers = BoxBridge.covers
    photographs, rows = read(folder, ids, limit), []
    for photograph in photographs:
        scores = []
        for covering in (False, True):
            if covering:
                BoxBridge.covers = covers  # type: ignore[method-assign]
            else:
                del BoxBridge.covers
            scores.append(iou(cutter(photograph).probability, photograph.mask))
        rows.append(scores)
    before, after = np.array(rows).T
    low, high = bootstrap_interval((after - before)[None]) or (np.nan, np.nan)
    print(
        f"{len(rows)} images of {folder}: J over all {100 * before.mean():.2f}, by coverage {100 * after.mean():.2f}, "
    )
    print(f"paired difference {100 * (after - before).mean():.2f} ({100 * low:.2f} to {100 * high:.2f})")


@app.command()
def scores(
    folder: Folder,
    ids: Ids = None,
    limit: Limit = 0,
    draws: int = 8,
    figure: Annotated[Path | None, typer.Option(help="SVG file of expected against true J.")] = None,
) -> None:
    """Compare the expected J with the true one."""
    plain, drawn = Cutter(device="cpu"), Cutter(device="cpu", draws=draws)
    rows = []
    for photograph in read(folder, ids, limit):
        judged = drawn(photograph)
        rows.append((iou(judged.probability, photograph.mask), plain(photograph).score, judged.score))
    true, *expected = np.array(rows).T
    lines = []
    for name, score in zip(("its own probabilities", f"{draws} drawn boxes"), expected, strict=True):
        worst = true[np.argsort(score)[: max(1, len(true) // 10)]].mean()
        lines.append(
            (
                name,
                f"{score.mean():.3f}",
                f"{ranks(true, score):.2f}",
                f"{np.abs(true - score).mean():.3f}",
                f"{worst:.3f}",
            )
        )
    head = ("expected J from", "mean", "rank correlation", "mean absolute error", "true J of the worst tenth")
    print(f"{len(true)} images of {folder}, mean true J {true.mean():.3f}; {machine()}\n\n{table(head, lines)}")
    if figure is not None:
        draw(expected[1], true, figure)


def ranks(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Return Spearman's rank correlation."""
    return float(np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1])


def draw(expected: NDArray[np.floating], true: NDArray[np.floating], path: Path) -> None:
    """Draw each image, and the mean true J of ten equal groups by expected J."""
    from matplotlib.figure import Figure

    chart = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = chart.add_subplot()
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, label="expected = true")
    axes.scatter(expected, true, s=9, alpha=0.45, color="#56b4e9", label="an image")
    groups = np.array_split(np.argsort(expected), 10)
    means = [(expected[group].mean(), true[group].mean()) for group in groups]
    axes.plot(*zip(*means, strict=True), "o-", color="#d55e00", label="mean of a tenth")
    axes.set(xlabel="expected J", ylabel="true J", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left", frameon=False)
    chart.savefig(path, metadata={"Date": None})


@app.command()
def prompts(folder: Folder, ids: Ids = None, limit: Limit = 60) -> None:
    """Score the largest annotated object: without a word, with a point in it, and with its box."""
    cutter = Cutter(device="cpu")
    rows = []
    for photograph in read(folder, ids, limit):
        mask: Any = photograph.mask
        _, labels, sizes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        target = labels == 1 + sizes[1:, cv2.CC_STAT_AREA].argmax()
        inner = cv2.distanceTransform(np.pad(target, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        y, x = np.unravel_index(inner.argmax(), inner.shape)
        below, right = np.nonzero(target)
        box = (right.min(), below.min(), right.max() + 1, below.max() + 1)
        results = (cutter(photograph), cutter(photograph, point=(x, y)), cutter(photograph, box=box))
        rows.append([iou(result.probability, target) for result in results])
    means = 100 * np.mean(rows, axis=0)
    print(f"{len(rows)} images of {folder}, J of the largest object; {machine()}\n")
    print(table(("", "J"), zip(("no prompt", "a point in it", "its box"), (f"{m:.1f}" for m in means), strict=True)))


@app.command()
def memory(folder: Folder, ids: Ids = None, limit: Limit = 500) -> None:
    """Print the memory of `jointtask extract` along a folder; fail if it grows by more than `MOST_GROWTH`."""
    cutter = Cutter(device="cpu")
    names = ids.read_text().split() if ids else sorted(path.stem for path in (folder / "images").iterdir())
    paths = [folder / "images" / f"{name}.jpg" for name in names[: limit or None]]
    outputs = Outputs(DEFAULT)
    sizes = []
    with tempfile.TemporaryDirectory() as place:
        extractor = Extractor(cutter, Path(place), outputs)
        for number, path in enumerate(paths, start=1):
            extractor(Job(path, Path(path.stem)))
            if number % 50 == 0:
                sizes.append(resident())
    growth = sizes[-1] - sizes[0]
    print(f"{len(paths)} images of {folder}; {machine()}")
    print(f"resident after 50 images {sizes[0]:.0f} MiB, at most {max(sizes):.0f} MiB, in the end {sizes[-1]:.0f} MiB")
    if growth > MOST_GROWTH:
        raise SystemExit(f"it grew by {growth:.0f} MiB; {MOST_GROWTH} are allowed")


def resident() -> float:
    """Return the resident memory of this process in MiB, from Linux' /proc."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


if __name__ == "__main__":
    app()
