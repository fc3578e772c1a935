"""What a trained pair has to beat: the stretch of the recording with the most movement at low frequencies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from jointtask.api import Context, NoSettings
from jointtask_event_detection.detection import Detection
from jointtask_event_detection.recording import RATE, Recording

__all__ = ["movement"]


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


def _average(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the moving average over `count` samples, the outermost repeated beyond the ends."""
    padded = np.pad(values, (count // 2, count - 1 - count // 2), mode="edge")
    return np.convolve(padded, np.full(count, 1 / count), mode="valid")
