"""What a trained pair has to beat: the stretch with the most movement at low frequencies, and the mean interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from jointtask.api import ConfigError, Context, NoSettings
from jointtask_event_detection.detection import Detection
from jointtask_event_detection.interval import MARKED
from jointtask_event_detection.recording import LENGTH, RATE, Recording

__all__ = ["mean_interval", "movement"]


def movement(settings: NoSettings, context: Context) -> Callable[[Recording], Detection]:
    """Build `movement`: samples around which the smoothed slope is steep, and the longest stretch of them.

    The slope is that of a moving average over 1/16 s, its square averaged over 1/2 s; the threshold is its mean.
    """

    def predict(recording: Recording) -> Detection:
        smooth = _average(recording.values.astype(np.float64), RATE // 16)
        energy = _average(np.gradient(smooth) ** 2, RATE // 2)
        steep = np.concatenate([[False], energy > energy.mean(), [False]])
        first, last = (np.flatnonzero(np.diff(steep.astype(int)) == step) for step in (1, -1))
        longest = int((last - first).argmax())
        probability = np.zeros(len(smooth), dtype=np.float32)
        probability[first[longest] : last[longest]] = 1
        return Detection(probability, np.array([first[longest], last[longest]], dtype=np.float32))

    return predict


def mean_interval(settings: NoSettings, context: Context) -> Callable[[Recording], Detection]:
    """Build `mean-interval`: the mean of the marked training intervals, all samples in it labelled.

    Raises
    ------
    ConfigError
        If there is no training data to learn from, or no interval in it is marked.
    """
    batch = {} if context.train is None else context.train.batch(range(len(context.train)))
    marked = batch.get("marked", torch.zeros(0, 2))
    marked = marked[batch[MARKED]] if MARKED in batch else marked
    if not len(marked):
        raise ConfigError(
            "mean-interval: no training data with marked intervals",
            cause="this predictor is the mean of the marked training intervals",
            remedy="name it in evaluate.predictors of a run file, which has training data",
        )
    interval = marked.mean(dim=0).numpy()
    sample = np.arange(LENGTH) + 0.5
    detection = Detection(((interval[0] <= sample) & (sample < interval[1])).astype(np.float32), interval)
    return lambda recording: detection


def _average(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the moving average over `count` samples, the outermost repeated beyond the ends."""
    padded = np.pad(values, (count // 2, count - 1 - count // 2), mode="edge")
    return np.convolve(padded, np.full(count, 1 / count), mode="valid")
