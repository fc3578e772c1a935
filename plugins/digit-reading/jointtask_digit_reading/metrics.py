"""Accuracy and angle error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jointtask.api import Context, Metric, NoSettings, Summary
from jointtask_digit_reading.angle import CIRCLE
from jointtask_digit_reading.reading import Reading
from jointtask_digit_reading.scene import Scene

__all__ = ["accuracy", "angle_difference", "angle_error"]


def accuracy(settings: NoSettings, context: Context) -> Metric:
    """Build `digit-accuracy`: the share of digits read right."""

    def score(reading: Reading, scene: Scene) -> float:
        return float(reading.digit == scene.digit)

    text = "share of scenes whose most probable digit is the right one, 0 to 100 %"
    return Metric(score, {"accuracy": Summary(text, "higher", _mean, percent=True)})


def angle_error(settings: NoSettings, context: Context) -> Metric:
    """Build `angle-error`: by how much the predicted angle is off the true one, the short way round."""

    def score(reading: Reading, scene: Scene) -> float:
        return abs(angle_difference(reading.angle, scene.angle))

    short = "of the absolute difference of predicted and true angle, the short way round, in degrees, 0 to 180"
    return Metric(
        score,
        {
            "angle error": Summary(f"mean {short}", "lower", _mean),
            "median angle error": Summary(f"median {short}", "lower", lambda scores: float(np.median(scores))),
        },
    )


def angle_difference(a: float, b: float) -> float:
    """Return ``a - b`` the short way round, in degrees from -180 to 180."""
    return float((a - b) - CIRCLE * np.round((a - b) / CIRCLE))


def _mean(scores: NDArray[np.float64]) -> float:
    return float(scores.mean())
