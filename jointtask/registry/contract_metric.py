"""What a metric must hold: its scores and summaries are checked where they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np

from jointtask.api.errors import ConfigError
from jointtask.api.metric import Metric, Summary
from jointtask.registry.fault import fault

__all__ = ["checked_metric", "distinct_summaries"]


def checked_metric(built: Any, what: str) -> Any:
    """Return a metric whose scores and summaries are checked; raise a `PluginError` if it is none."""
    see = "jointtask.api.metric.Metric"
    if not isinstance(built, Metric):
        raise fault(what, f"was built as {type(built).__name__}", "a Metric", see)
    wrong = [name for name, summary in built.summaries.items() if not isinstance(summary, Summary)]
    if wrong or not built.summaries:
        raise fault(what, f"reports {', '.join(wrong) or 'nothing'}", "a Summary for each name, one at least", see)
    for name, summary in built.summaries.items():
        if summary.better not in ("higher", "lower"):
            raise fault(what, f"reports '{name}' with better = {summary.better!r}", "'higher' or 'lower'", see)
    shapes: set[tuple[int, ...]] = set()

    def score(prediction: Any, example: Any) -> Any:
        value = built.score(prediction, example)
        try:
            if value is None or isinstance(value, str):
                raise TypeError
            shape = np.asarray(value, dtype=np.float64).shape
        except (TypeError, ValueError) as error:
            gave = f"gave a score that is a {type(value).__name__}"
            raise fault(what, gave, "a float or a float64 array", see) from error
        shapes.add(shape)
        if len(shapes) > 1:
            gave = f"gave scores of the shapes {', '.join(map(str, sorted(shapes)))}"
            raise fault(what, gave, "one fixed shape", see)
        return value

    summaries = {name: attrs.evolve(each, reduce=_reduce(name, each, what)) for name, each in built.summaries.items()}
    return attrs.evolve(built, score=score, summaries=summaries)


def _reduce(name: str, summary: Summary, what: str) -> Callable[[Any], float]:
    """Return the function of a summary, whose result is checked."""

    def reduce(scores: Any) -> float:
        value: Any = summary.reduce(scores)
        if np.ndim(value) != 0 or not isinstance(value, int | float | np.number):
            shape = f" of shape {np.shape(value)}" if np.ndim(value) else ""
            gave = f"gave for the summary '{name}' a {type(value).__name__}{shape}"
            raise fault(what, gave, "a number", "jointtask.api.metric.Summary")
        return float(value)

    return reduce


def distinct_summaries(metrics: Mapping[str, Metric]) -> None:
    """Raise a `ConfigError` if two metrics report a summary of one name, which results could not tell apart.

    Parameters
    ----------
    metrics : mapping of str to Metric
        Metrics by what to call them in the message.
    """
    owners: dict[str, str] = {}
    for metric, built in metrics.items():
        for name in built.summaries:
            if (other := owners.setdefault(name, metric)) != metric:
                raise ConfigError(
                    f"{other} and {metric} both report '{name}'",
                    cause="scores are stored by the names of their summaries",
                    remedy="name one of the two, or give the summary another name in its plugin",
                )
