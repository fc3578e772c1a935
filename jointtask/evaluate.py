"""Scores: any predictor on any data set, at the examples' own sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from jointtask.data import Dataset
from jointtask.errors import ConfigError
from jointtask.guard import blaming
from jointtask.metric import Metric
from jointtask.predict import Predictor
from jointtask.progress import Progress
from jointtask.record import ScoreRecord
from jointtask.spread import spread
from jointtask.world import ALONE, World

if TYPE_CHECKING:
    from jointtask.registry import Registry

__all__ = ["Predict", "default_metrics", "evaluate_run", "one_by_one", "score", "through"]

_AT_ONCE = 4
"""Examples in memory for each process that predicts."""

Predict = Callable[[Dataset, Sequence[int], Sequence[Any]], Sequence[Any]]
"""Predicts some examples of a data set, given by position and at their own sizes."""


def through(predictor: Predictor) -> Predict:
    """Predict with a trained pair, a batch at a time."""

    def predict(dataset: Dataset, index: Sequence[int], examples: Sequence[Any]) -> Sequence[Any]:
        return predictor.predict(dataset.batch(index), examples)

    return predict


@contextmanager
def one_by_one(function: Callable[[Any], Any], workers: int) -> Iterator[Predict]:
    """Predict with a function of one example, in several processes where it can be pickled."""
    with spread(function, workers) as of_many:
        yield lambda dataset, index, examples: of_many(examples)


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
        See `through` and `one_by_one`.
    dataset : Dataset
        Annotated examples.
    metrics : mapping of str to Metric
        By component name.
    predictor, data : str
        What the record calls them.
    batch_size : int
        Examples predicted together.
    progress : Progress
        Where it reports.
    world : World
        The processes that share the examples; all get the scores.
    """
    values: dict[str, list[Any]] = {name: [] for name in metrics}
    offset = 0
    with progress.phase(f"scoring {predictor} on {data}", len(dataset)) as bar:
        while offset < len(dataset):
            index, stop = world.block(offset, len(dataset), batch_size)
            scores = score_batch(predict, dataset, index, metrics) if index else []
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


def evaluate_run(
    run: str, registry: Registry, *, overrides: Sequence[str], progress: Progress
) -> tuple[ScoreRecord, Mapping[str, Metric]]:
    """Score a run directory, or a predictor by its name, on the test data.

    Parameters
    ----------
    run : str
        A run directory or the name of a predictor.
    registry : Registry
        Where components are found.
    overrides : sequence of str
        ``a.b=VALUE``, as ``--set`` takes them; for a predictor, `data.test` must be among them, and
        `data.train` where it learns from data.
    progress : Progress
        Where it reports.

    Returns
    -------
    ScoreRecord
        The scores.
    mapping of str to Metric
        The metrics, with the definitions of the scores.

    Raises
    ------
    UserError
        If there is no such run or predictor, or nothing to score it on.
    """
    from jointtask.assemble import find_predictor, make_context, read_data, score_metrics, trained
    from jointtask.load import load_evaluation, load_trained
    from jointtask.rundir import RunDirectory

    directory = RunDirectory(Path(run))
    contestant: AbstractContextManager[Predict]
    if directory.path.is_dir():
        directory.require()
        runfile = load_trained(directory.config, registry, overrides)
        if runfile.data.test is None:
            raise ConfigError(
                f"{run} has no test data", remedy="name some: --set data.test.name=... and the data set's own keys"
            )
        context = make_context(runfile.run, progress)
        dataset = read_data("test", runfile.data.test, registry, context)
        contestant = nullcontext(through(trained(directory, runfile, registry, context)))
        names = runfile.evaluate.metrics
        batch_size = runfile.predict.batch_size
    else:
        component = find_predictor(run, registry)
        asked = load_evaluation(overrides, registry)
        context = make_context(asked.run, progress)
        dataset = read_data("test", asked.data.test, registry, context)
        if asked.data.train is not None:
            context = attrs.evolve(context, train=read_data("train", asked.data.train, registry, context))
        contestant = one_by_one(component.build(component.settings(), context), context.workers)
        names = asked.evaluate.metrics or default_metrics(run, asked.data.test.name, registry)
        batch_size = _AT_ONCE * context.workers
    metrics = score_metrics(names, registry, context)
    with blaming(registry.plugins), contestant as predict:
        record = score(
            predict,
            dataset,
            metrics,
            predictor=run,
            data="test",
            batch_size=batch_size,
            progress=progress,
        )
    return record, metrics


def default_metrics(predictor: str, dataset: str, registry: Registry) -> list[str]:
    """Name the metrics of the plugin that a predictor comes from, or else of the one that the data set comes from.

    Those of other pairs cannot score what is predicted. All of them, where neither plugin has any.
    """
    metrics = sorted(registry.entries["metric"].items())
    for source in (registry.source("predictor", predictor), registry.source("dataset", dataset)):
        if own := [name for name, entry in metrics if entry.source == source]:
            return own
    return [name for name, _ in metrics]
