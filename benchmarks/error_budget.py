"""Where J is lost: to localization, to the resolution of masks, to segmentation.

Each row scores the same trained run with one of its parts replaced by the truth:

    python benchmarks/error_budget.py RUN [RUN ...] [--limit 300] [--states 81] [--set data.test.ids=FILE]

"best of the grid" looks at the annotation to choose among the grid's references: it is an oracle, not a method. The
last row is no J: it is the IoU of the reference that the localization network predicts with the one that the annotation
implies, where `box-iou` of a run is that of the box of the mask.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jointtask_object_extraction.metrics.measures import box_iou, iou
from torch import Tensor

from jointtask.em.pair import Pair
from jointtask.em.predict import Predictor
from jointtask.em.score import through
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load_trained
from jointtask.running.assemble import make_context, read_data
from jointtask.running.directory import RunDirectory
from jointtask.running.trained import trained
from jointtask.tools.progress import SilentProgress

BATCH = 16
ROWS = (
    "as the run predicts",
    "one reference: the predicted box",
    "perfect masks in the predicted box",
    "one reference: the annotated box",
    "best of the grid around the annotated box",
    "perfect masks in the annotated box",
    "(box IoU of the predicted reference)",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="run directories with test data")
    parser.add_argument("--limit", type=int, default=0, help="score this many of the test examples; 0: all")
    parser.add_argument("--states", type=int, default=81, help="at most this many states of the grid, evenly chosen")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as in jointtask evaluate")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = [budget(run, arguments.limit, arguments.states, arguments.set) for run in arguments.runs]
    print(f"| J, % | {' | '.join(run.name for run in arguments.runs)} |")
    print(f"|---|{'---|' * len(columns)}")
    for row, name in enumerate(ROWS):
        print(f"| {name} | {' | '.join(f'{100 * column[row]:.2f}' for column in columns)} |")


def budget(run: Path, limit: int, states: int, overrides: Sequence[str]) -> list[float]:
    """Return the mean of each row."""
    registry, progress = load_registry(), SilentProgress()
    directory = RunDirectory(run)
    runfile = load_trained(directory.config, registry, overrides)
    table = runfile.data.test
    if table is None:
        raise SystemExit(f"{run} has no test data")
    context = make_context(runfile.run, progress, "cpu")
    dataset = read_data("test", table, registry, context)
    predictor = trained(directory, runfile, registry, context)
    plain = through(Predictor(predictor.pair))
    grid = predictor.pair.bridge.grid.states
    chosen = grid[torch.linspace(0, len(grid) - 1, min(states, len(grid))).round().long().unique()]
    count = min(limit, len(dataset)) if limit else len(dataset)
    scores: list[list[float]] = [[] for _ in ROWS]
    for start in range(0, count, BATCH):
        index = range(start, min(start + BATCH, count))
        examples = [dataset.example(i) for i in index]
        batch = dataset.batch(index)
        with torch.inference_mode():
            predicted, annotated = references(predictor.pair, batch)
            rows = [
                [extraction.probability for extraction in through(predictor)(dataset, index, examples)],
                [extraction.probability for extraction in plain(dataset, index, examples)],
                *restored(predictor.pair, batch, predicted, annotated, chosen, examples),
            ]
        scores[-1].extend(map(box_iou, predicted.numpy(), annotated.numpy()))
        for row, maps in enumerate(rows):
            scores[row].extend(best(some, example.mask) for some, example in zip(maps, examples, strict=True))
    return [float(np.mean(row)) for row in scores]


def references(pair: Pair, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the predicted references and the annotated ones, (B, 4) each."""
    return pair.bridge.admit(pair.upstream.reference(pair.predict_upstream(batch))), pair.bridge.base(batch)


def restored(
    pair: Pair,
    batch: dict[str, Tensor],
    predicted: Tensor,
    annotated: Tensor,
    states: Tensor,
    examples: list[Any],
) -> list[list[Any]]:
    """Return the maps at the photographs' sizes of the rows from the third on; several for the best of the grid."""
    bridge = pair.bridge
    around = bridge.admit(bridge.reference(annotated, states))
    predicted, annotated = predicted[:, None], annotated[:, None]

    def solved(reference: Tensor) -> Tensor:
        return bridge.restore(pair.predict_downstream(bridge.condition(batch, reference).input), reference)

    def perfect(reference: Tensor) -> Tensor:
        mask = bridge.condition(batch, reference).target.mask
        return bridge.restore((2 * mask.float() - 1) * 20, reference)

    def finished(maps: Tensor, reference: Tensor) -> list[list[Any]]:
        return [
            [bridge.finish(one, box, example).probability for one, box in zip(maps[row], reference[row], strict=True)]
            for row, example in enumerate(examples)
        ]

    return [
        finished(perfect(predicted), predicted),
        finished(solved(annotated), annotated),
        finished(solved(around), around),
        finished(perfect(annotated), annotated),
    ]


def best(maps: Any, mask: Any) -> float:
    """Return the J of a map, or of the best of several."""
    several = maps if isinstance(maps, list) else [maps]
    return max(iou(some >= 0.5, mask) for some in several)


if __name__ == "__main__":
    main()
