"""The data-driven proposal term: references whose ends lie at change points of the recording."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from attrs import field, frozen
from numpy.typing import NDArray
from torch import Tensor

from jointtask.api import Batch, Context, History
from jointtask_event_detection.settings import ChangePoints

__all__ = ["NAME", "ChangePointTerm", "change_points", "find_change_points"]

NAME = "change-points"

_FLOOR = 0.05
"""Added to the nearness of each end, so that every reference can be proposed."""

_LEAST_VARIANCE = 1e-6
"""Below, the variance of a segment is rounding, in squared units of the series."""

_LEAST_GAIN = 1e-6
"""Below, the gain of a cut is rounding, in nats."""


def change_points(settings: ChangePoints, context: Context) -> ChangePointTerm:
    """Build the term; it needs nothing from the other components."""
    return ChangePointTerm(settings.points, settings.shortest, settings.scale)


@frozen(eq=False)
class ChangePointTerm:
    """``sum over both ends of log(exp(-d^2 / (2 s^2)) + 0.05)``, d the distance to the nearest change point.

    Attributes
    ----------
    points : int
        Change points of a recording, P.
    shortest : int
        Least samples between two of them.
    scale : float
        s, in samples.
    """

    points: int
    shortest: int
    scale: float
    prepares: bool = field(default=True, init=False)
    version: str = field(default="1", init=False)

    def prepare(self, example: Mapping[str, Tensor]) -> NDArray[np.float32]:
        """Return the change points of one example, (P,), float32, in samples; infinity where there are fewer."""
        padded = np.full(self.points, np.inf, dtype=np.float32)
        points = find_change_points(example["values"].numpy(force=True), self.points, self.shortest)
        padded[: len(points)] = points
        return padded

    def log_weight(self, batch: Batch, reference: Tensor, history: History) -> Tensor:
        """Return the unnormalised log probability of references (B, N, 2): (B, N), float64, on the CPU."""
        point = batch[NAME].to("cpu", torch.float64)[:, None]
        total = torch.zeros(reference.shape[:2], dtype=torch.float64)
        for end in reference.to("cpu", torch.float64).unbind(-1):
            distance = (end[..., None] - point).abs().amin(dim=-1)
            total += torch.log(torch.exp(-0.5 * (distance / self.scale).square()) + _FLOOR)
        return total


def find_change_points(values: NDArray[np.floating], points: int, shortest: int) -> NDArray[np.int64]:
    """Find where the mean or the variance of a series changes, by binary segmentation.

    The cut that raises the Gaussian log likelihood of the series most is made, then the next, each segment having a
    mean and a variance of its own (A. J. Scott and M. Knott, "A cluster analysis method for grouping means in the
    analysis of variance", Biometrics 30, 1974).

    Parameters
    ----------
    values : ndarray, (L,)
        The series.
    points : int
        Cuts at most.
    shortest : int
        Least samples of a segment, at least 2.

    Returns
    -------
    ndarray, (at most points,), int64
        In the order of time: the first sample after each cut. None in a constant series.
    """
    sums = np.cumsum(np.pad(values.astype(np.float64), (1, 0)))
    squares = np.cumsum(np.pad(values.astype(np.float64) ** 2, (1, 0)))

    def cost(first: NDArray[np.int64] | int, last: NDArray[np.int64] | int) -> NDArray[np.float64]:
        """Return twice the negative log likelihood of segments, up to a constant a sample."""
        length = np.subtract(last, first)
        mean = (sums[last] - sums[first]) / length
        variance = (squares[last] - squares[first]) / length - mean**2
        return np.asarray(length * np.log(np.maximum(variance, _LEAST_VARIANCE)))

    def best(first: int, last: int) -> tuple[float, int]:
        """Return the gain of the best cut of a segment, and where it is."""
        cuts = np.arange(first + shortest, last - shortest + 1)
        if not len(cuts):
            return 0.0, first
        gain = cost(first, last) - cost(first, cuts) - cost(cuts, last)
        return float(gain.max()), int(cuts[gain.argmax()])

    segments = {(0, len(values)): best(0, len(values))}
    chosen: list[int] = []
    while len(chosen) < points:
        (first, last), (gain, cut) = max(segments.items(), key=lambda item: item[1][0])
        if gain <= _LEAST_GAIN:
            break
        chosen.append(cut)
        del segments[first, last]
        segments |= {(first, cut): best(first, cut), (cut, last): best(cut, last)}
    return np.array(sorted(chosen), dtype=np.int64)
