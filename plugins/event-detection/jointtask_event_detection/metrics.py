"""Interval IoU and per-sample F1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jointtask.api import Context, Metric, NoSettings, Summary
from jointtask_event_detection.detection import Detection
from jointtask_event_detection.recording import Recording

__all__ = ["f1", "interval_iou", "overlap", "sample_f1"]


def sample_f1(settings: NoSettings, context: Context) -> Metric:
    """Build `sample-f1`: how well the labelled samples are found."""
    text = (
        "F1 = 2 TP / (2 TP + FP + FN) over the samples of a recording, probabilities cut at 0.5, 1 where nothing is "
        "labelled and nothing found, mean over recordings, 0 to 100 %"
    )

    def score(detection: Detection, recording: Recording) -> float:
        return f1(detection.probability >= 0.5, recording.label > 0)

    return Metric(score, {"F1": Summary(text, "higher", _mean, percent=True)})


def interval_iou(settings: NoSettings, context: Context) -> Metric:
    """Build `interval-iou`: how well onset and offset are found."""
    text = (
        "intersection over union of the predicted interval and the one from the first to the last labelled sample, "
        "mean over recordings, 0 to 100 %"
    )

    def score(detection: Detection, recording: Recording) -> float:
        return overlap(detection.interval, recording.interval)

    return Metric(score, {"interval IoU": Summary(text, "higher", _mean, percent=True)})


def f1(predicted: NDArray[np.bool_], label: NDArray[np.bool_]) -> float:
    """Return ``2 TP / (2 TP + FP + FN)`` of two labellings (L,), in [0, 1]; 1 where both are empty."""
    total = int(predicted.sum()) + int(label.sum())
    return 2 * int((predicted & label).sum()) / total if total else 1.0


def overlap(a: ArrayLike, b: ArrayLike) -> float:
    """Return the intersection over union of two intervals (first, last), in [0, 1]; 0 where both are empty."""
    (first_a, last_a), (first_b, last_b) = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    common = max(0.0, min(last_a, last_b) - max(first_a, first_b))
    union = (last_a - first_a) + (last_b - first_b) - common
    return float(common / union) if union > 0 else 0.0


def _mean(scores: NDArray[np.float64]) -> float:
    return float(scores.mean())
