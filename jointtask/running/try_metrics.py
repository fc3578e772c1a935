"""Scores one example with every metric before anything is trained: a metric that fails would do so at the very end."""

from __future__ import annotations

import numpy as np

from jointtask.api.errors import PluginError, UserError
from jointtask.em.assembly import Assembly
from jointtask.em.predict import make_predictor
from jointtask.registry.attribution import remedy
from jointtask.registry.sources import reason

__all__ = ["try_metrics"]


def try_metrics(assembly: Assembly) -> None:
    """Predict the first example that would be scored, with the networks as they are, and score it.

    Nothing in the run is changed.

    Raises
    ------
    PluginError
        If a metric raises, or gives what is no score; it names the metric and its plugin.
    """
    dataset = assembly.validation if assembly.test is None else assembly.test
    if dataset is None or not assembly.metrics:
        return
    example = dataset.example(0)
    prediction = make_predictor(assembly.pair, assembly.runfile).predict_batch(dataset.batch([0]), [example])[0]
    for name, metric in assembly.metrics.items():
        try:
            scores = np.asarray([metric.score(prediction, example)], dtype=np.float64)
            for summary in metric.summaries.values():
                summary.reduce(scores)
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as error:
            source = assembly.registry.source("metric", name)
            raise PluginError(
                f"the metric '{name}' of {source}: score or a summary raised an error; expected a number",
                cause=f"{reason(error, source)}, of the example '{dataset.ids[0]}'",
                remedy=remedy(error, source),
            ) from error
