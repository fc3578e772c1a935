"""What a metric is: a score per example, and how scores of many examples become numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["Metric", "Summary", "definitions"]


@frozen
class Summary:
    """One number that a metric reports over a data set.

    Attributes
    ----------
    definition : str
        Sentence on what the number is, with its range; printed beside it.
    better : "higher" or "lower"
        Direction of better values.
    reduce : callable
        Function of the scores of n examples, (n, ...), that returns the number. NaN is an example without a score.
    percent : bool
        Whether the number is shown times 100.
    """

    definition: str
    better: Literal["higher", "lower"]
    reduce: Callable[[NDArray[np.float64]], float]
    percent: bool = False


@frozen
class Metric:
    """A score.

    Attributes
    ----------
    score : callable
        ``score(prediction, example)`` with what `Bridge.finish` (or a predictor) and `Dataset.example` return:
        a float or an array of one fixed shape, as float64. A float is also written per example.
    summaries : mapping of str to Summary
        Numbers that the metric reports, by name.
    """

    score: Callable[[Any, Any], float | NDArray[np.float64]]
    summaries: Mapping[str, Summary]


def definitions(metrics: Mapping[str, Metric]) -> dict[str, dict[str, Any]]:
    """Return what `RunRecord.definitions` holds: by summary name, its definition, better and percent."""
    return {
        name: {"definition": summary.definition, "better": summary.better, "percent": summary.percent}
        for metric in metrics.values()
        for name, summary in metric.summaries.items()
    }
