"""Time an image that each predictor takes, on one thread: ``python benchmarks/rivals.py IMAGES NAME... [--limit N]``.

IMAGES is a folder. NAME is a predictor or a run directory. ``--learner NAME`` is a predictor that learns, from
``--train name=image-folder --train images=...``; an oracle gets the whole image for its true mask. All see the same
images in turn, decoded before the clock starts. Each NAME has an empty cache of its own, so that a cut pays for its
map; learning is not timed, and kept where it always is. Prints the median, and the slowest image.
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
import numpy as np
import torch
import typer
from jointtask_object_extraction.data.decode import decode_image
from jointtask_object_extraction.extract.model import load_run
from jointtask_object_extraction.photograph import Photograph
from measuring import machine, table

from jointtask.api.component import Context
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import load_evaluation
from jointtask.runfile.schema import RunTable
from jointtask.running.assemble import make_context, read_data
from jointtask.running.trained import find_predictor
from jointtask.tools.progress import SilentProgress

Predict = Callable[[Photograph], Any]


def main(
    images: Path,
    names: list[str],
    limit: Annotated[int, typer.Option()] = 20,
    learner: Annotated[list[str] | None, typer.Option()] = None,
    train: Annotated[list[str] | None, typer.Option()] = None,
) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    paths = sorted(images.iterdir())
    chosen = paths[:: max(1, len(paths) // limit)][:limit]
    decoded = [(path.name, decode_image(path, 100_000_000)) for path in chosen]
    photographs = [Photograph(name, image, np.ones(image.shape[:2], dtype=np.bool_)) for name, image in decoded]
    with tempfile.TemporaryDirectory() as folder:
        registry = load_registry()
        predictors = {name: load_one(name, registry, Path(folder)) for name in names}
        predictors |= {name: load_learner(name, registry, train or []) for name in learner or []}
        times: dict[str, list[float]] = {name: [] for name in predictors}
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


def load_one(name: str, registry: Registry, folder: Path) -> Predict:
    """Load a run directory, or build a predictor with a cache of its own."""
    if Path(name).is_dir():
        model = load_run(Path(name), "cpu", SilentProgress())
        return lambda photograph: model.extract([photograph])[0]
    component = find_predictor(name, registry)
    predict: Predict = component.build(component.settings(), attrs.evolve(context(), cache=folder / name))
    return predict


def load_learner(name: str, registry: Registry, train: list[str]) -> Predict:
    """Build a predictor that learns."""
    table = load_evaluation([f"data.{split}.{key}" for split in ("test", "train") for key in train], registry)
    assert table.data.train is not None
    known = context()
    component = find_predictor(name, registry)
    learnt = attrs.evolve(known, train=read_data("train", table.data.train, registry, known))
    predict: Predict = component.build(component.settings(), learnt)
    return predict


def context() -> Context:
    return make_context(RunTable("rivals", device="cpu", threads=1, workers=1), SilentProgress())


if __name__ == "__main__":
    typer.run(main)
