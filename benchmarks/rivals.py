"""Time an image that each predictor takes, on one thread: ``python benchmarks/rivals.py IMAGES NAME... [--limit N]``.

IMAGES is a folder. NAME is a predictor or a run directory; one that learns takes its training data as run files do:
``--train name=image-folder --train images=...``. All see the same images in turn, decoded before the clock starts; each
has a cache of its own that is empty, so that a cut pays for its map. Prints the median, and the slowest image.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import attrs
import cv2
import torch
import typer
from jointtask_object_extraction.decode import decode_image
from jointtask_object_extraction.photograph import Photograph
from jointtask_object_extraction.running import load_run
from measuring import machine, table

from jointtask.assemble import find_predictor, make_context, read_data
from jointtask.config import RunTable
from jointtask.load import load_evaluation
from jointtask.progress import SilentProgress
from jointtask.registry import Registry, load_registry


def main(
    images: Path,
    names: list[str],
    limit: Annotated[int, typer.Option()] = 20,
    train: Annotated[list[str] | None, typer.Option()] = None,
) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    paths = sorted(images.iterdir())
    chosen = paths[:: max(1, len(paths) // limit)][:limit]
    photographs = [Photograph(path.name, decode_image(path, 100_000_000), None) for path in chosen]
    with tempfile.TemporaryDirectory() as folder:
        registry = load_registry()
        predictors = {name: load_one(name, registry, Path(folder), train or []) for name in names}
        times: dict[str, list[float]] = {name: [] for name in names}
        for predict in predictors.values():
            predict(attrs.evolve(photographs[0], image=photographs[0].image[::-1].copy()))  # the first call imports
        for photograph in photographs:
            for name, predict in predictors.items():
                start = time.perf_counter()
                predict(photograph)
                times[name].append(time.perf_counter() - start)
    rows = [[name, f"{statistics.median(t) * 1e3:.0f}", f"{max(t) * 1e3:.0f}"] for name, t in times.items()]
    print(f"{len(photographs)} images of {images}; {machine()}\n")
    print(table(["predictor", "median, ms an image", "slowest, ms"], rows))


def load_one(name: str, registry: Registry, folder: Path, train: list[str]) -> Callable[[Any], Any]:
    """Build a predictor with a cache of its own, or a run directory."""
    progress = SilentProgress()
    if Path(name).is_dir():
        return load_run(Path(name), registry, "cpu", progress)
    context = attrs.evolve(make_context(RunTable("rivals", device="cpu", threads=1), progress), workers=1)
    if train:
        table = load_evaluation([f"data.{split}.{key}" for split in ("test", "train") for key in train], registry)
        assert table.data.train is not None
        context = attrs.evolve(context, train=read_data("train", table.data.train, registry, context))
    component = find_predictor(name, registry)
    predict: Callable[[Any], Any] = component.build(component.settings(), attrs.evolve(context, cache=folder / name))
    return predict


if __name__ == "__main__":
    typer.run(main)
