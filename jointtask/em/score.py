"""Scores: any predictor on any data set, at the examples' own sizes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from jointtask.api.dataset import Dataset
from jointtask.api.metric import Metric
from jointtask.api.progress import Progress
from jointtask.api.record import ScoreRecord
from jointtask.em.predict import Predictor
from jointtask.em.processes import ALONE, World
from jointtask.tools.workers import spread

__all__ = ["Predict", "one_by_one", "score", "through"]

PATIENCE = 1.0
"""Seconds of predicting after which several processes are worth their start."""

Predict = Callable[[Dataset, Sequence[int], Sequence[Any]], Sequence[Any]]
"""Predicts some examples of a data set, given by position and at their own sizes."""


def through(predictor: Predictor) -> Predict:
    """Predict with a trained pair, a batch at a time."""

    def predict(dataset: Dataset, index: Sequence[int], examples: Sequence[Any]) -> Sequence[Any]:
        return predictor.predict_batch(dataset.batch(index), examples)

    return predict


@contextmanager
def one_by_one(function: Callable[[Any], Any], workers: int) -> Iterator[Predict]:
    """Predict with a function of one example, in several processes where it can be pickled.

    The processes are started once `PATIENCE` seconds of predicting in this one were not enough.
    """
    spent, of_many = 0.0, None
    with ExitStack() as stack:

        def predict(dataset: Dataset, index: Sequence[int], examples: Sequence[Any]) -> Sequence[Any]:
            nonlocal spent, of_many
            predictions: list[Any] = []
            for position, example in enumerate(examples):
                if spent > PATIENCE and of_many is None:
                    of_many = stack.enter_context(spread(function, workers))
                if of_many is not None:
                    return [*predictions, *of_many(examples[position:])]
                start = time.perf_counter()
                predictions.append(function(example))
                spent += time.perf_counter() - start
            return predictions

        yield predict


def score(
    predict: Predict,
    dataset: Dataset,
    metrics: Mapping[str, Metric],
    *,
    predictor: str,
    data: str,
    batch_size: int,
    progress: Progress,
    world: World = ALONE,
) -> ScoreRecord:
    """Score a predictor.

    Parameters
    ----------
    predict : callable
        Function that predicts some examples: see `through` and `one_by_one`.
    dataset : Dataset
        Annotated examples.
    metrics : mapping of str to Metric
        Metrics by component name.
    predictor, data : str
        Names of predictor and data set in the record.
    batch_size : int
        Number of examples predicted together.
    progress : Progress
        Receiver of the progress messages.
    world : World
        The processes that share the examples; each of them gets all scores.
    """
    values: dict[str, list[Any]] = {name: [] for name in metrics}
    offset = 0
    with progress.phase(f"scoring {predictor} on {data}", len(dataset)) as bar:
        while offset < len(dataset):
            positions, stop = world.next_positions(offset, len(dataset), batch_size)
            scores = score_batch(predict, dataset, positions, metrics) if positions else []
            for example_scores in world.gather(scores):
                for name, value in example_scores.items():
                    values[name].append(value)
            bar.advance(stop - offset)
            offset = stop
    arrays = {name: np.asarray(rows, dtype=np.float64) for name, rows in values.items()}
    return ScoreRecord(
        predictor=predictor,
        data=data,
        examples=len(dataset),
        values={
            key: float(summary.reduce(arrays[name]))
            for name, metric in metrics.items()
            for key, summary in metric.summaries.items()
        },
        per_example={
            name: dict(zip(dataset.ids, rows.tolist(), strict=True)) for name, rows in arrays.items() if rows.ndim == 1
        },
    )


def score_batch(
    predict: Predict, dataset: Dataset, index: Sequence[int], metrics: Mapping[str, Metric]
) -> list[dict[str, Any]]:
    """Return the scores of some examples by metric."""
    examples = [dataset.example(i) for i in index]
    return [
        {name: metric.score(prediction, example) for name, metric in metrics.items()}
        for example, prediction in zip(examples, predict(dataset, index, examples), strict=True)
    ]
