"""Scores a trained run, or a predictor by its name, on a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import attrs

from jointtask.api.errors import ConfigError
from jointtask.api.metric import Metric
from jointtask.api.progress import Progress
from jointtask.api.record import ScoreRecord
from jointtask.em.score import Predict, one_by_one, score, through
from jointtask.registry.attribution import attributed
from jointtask.registry.registry import Registry
from jointtask.runfile.load import load_evaluation, load_trained
from jointtask.running.assemble import make_context, read_data, score_metrics
from jointtask.running.device import device_name
from jointtask.running.directory import RunDirectory
from jointtask.running.trained import find_predictor, trained

__all__ = ["default_metrics", "evaluate_run"]

_EXAMPLES_PER_PROCESS = 4
"""Examples in memory for each process that predicts."""


def evaluate_run(
    run: str, registry: Registry, *, overrides: Sequence[str], progress: Progress
) -> tuple[ScoreRecord, Mapping[str, Metric]]:
    """Score a run directory, or a predictor by its name, on the test data.

    Parameters
    ----------
    run : str
        A run directory or the name of a predictor.
    registry : Registry
        The components that can be named.
    overrides : sequence of str
        Settings, ``a.b=VALUE`` as ``--set`` takes them; for a predictor, `data.test` must be among them, and
        `data.train` where it learns from data.
    progress : Progress
        Receiver of phases and messages.

    Returns
    -------
    ScoreRecord
        The scores.
    mapping of str to Metric
        The metrics, with the definitions of the scores.

    Raises
    ------
    UserError
        If there is no such run or predictor, or no data to score it on.
    """
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
        batch_size = _EXAMPLES_PER_PROCESS * context.workers
    progress.say(f"device: {device_name(context.device)}")
    metrics = score_metrics(names, registry, context)
    with attributed(registry), contestant as predict:
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
