"""What every metric must hold."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import numpy as np

from jointtask.api.metric import Metric, Summary

__all__ = ["check_metric"]


def check_metric(metric: Metric, prediction: Any, example: Any, *, score: float | None = None) -> dict[str, float]:
    """Hold a metric to `jointtask.api.metric.Metric`.

    Parameters
    ----------
    metric : Metric
        Metric to be checked.
    prediction : Any
        Prediction as `Bridge.finish`, or a predictor, gives it for the example.
    example : Any
        Example as `Dataset.example` gives it.
    score : float, optional
        Expected score of the two, to within 1e-6.

    Returns
    -------
    dict of str to float
        Its numbers over a data set that holds this example alone.

    Raises
    ------
    AssertionError
        If it is no Metric, the score is not a number or an array of numbers, is not the same the second time or not the
        one expected, the prediction or the example is changed, or a summary has no definition or gives no number.
    """
    assert isinstance(metric, Metric), f"expected a jointtask.api.metric.Metric, got {type(metric).__name__}"
    assert metric.summaries, "the metric has no summaries; expected one at least, or it reports nothing"
    value = _numbers(metric.score(prediction, example))
    again = _numbers(metric.score(prediction, example))
    assert np.array_equal(value, again, equal_nan=True), (
        f"the score changes from {value} to {again} the second time; expected the same for the same, and both the"
        " prediction and the example left as they were given"
    )
    if score is not None:
        assert value.ndim == 0, f"the score is an array of the shape {value.shape}; expected the number {score}"
        assert math.isclose(float(value), score, abs_tol=1e-6), f"the score is {float(value)}; expected {score}"
    numbers = {}
    for name, summary in metric.summaries.items():
        assert isinstance(summary, Summary), f"the summary '{name}' is a {type(summary).__name__}; expected a Summary"
        assert summary.definition.strip(), f"the summary '{name}' has no definition; expected a sentence with its range"
        assert summary.better in ("higher", "lower"), (
            f"the summary '{name}' says {summary.better!r} is better; expected 'higher' or 'lower'"
        )
        numbers[name] = _number(name, summary, np.stack([value]))
        three = _number(name, summary, np.stack([value] * 3))
        assert math.isclose(numbers[name], three, rel_tol=1e-6, abs_tol=1e-9) or math.isnan(three), (
            f"the summary '{name}' is {numbers[name]:.6g} for an example and {three:.6g} for the same three times;"
            " expected the same: a number that does not grow with the number of examples"
        )
    return numbers


def _numbers(value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AssertionError(
            f"the score is a {type(value).__name__}, no number ({error}); expected a float, or a float64 array"
        ) from None
    assert isinstance(value, float | np.ndarray), (
        f"the score is a {type(value).__name__}; expected a float, which is also written per example, or a numpy array"
    )
    return array


def _number(name: str, summary: Summary, scores: Any) -> float:
    number = summary.reduce(scores)
    if np.ndim(number) == 0:  # an array of one element converts to a float as well, and is no number
        with suppress(TypeError, ValueError):
            return float(number)
    raise AssertionError(f"the summary '{name}' reduces to a {type(number).__name__}; expected a number")
