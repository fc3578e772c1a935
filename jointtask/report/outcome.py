"""The result of a run in sentences, and its leading score compared with others on the same examples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask.api.record import OWN, RunRecord, ScoreRecord
from jointtask.report.scores import Column, columns, metric_of
from jointtask.tools import text
from jointtask.tools.statistics import bootstrap_interval

__all__ = ["Difference", "against_predictors", "outcome", "since_start"]


@frozen
class Difference:
    """A mean difference of the leading score on the same examples.

    Attributes
    ----------
    name : str
        Name of the predictor that the run is compared with.
    data : str
        The data set.
    column : Column
        The score.
    examples : int
        Number of examples that both have a score for.
    mean : float
        Score of the run minus the other.
    interval : tuple of two floats
        95 % paired bootstrap interval of the mean.
    """

    name: str
    data: str
    column: Column
    examples: int
    mean: float
    interval: tuple[float, float]

    @property
    def within_noise(self) -> bool:
        """Whether the interval includes zero."""
        return self.interval[0] <= 0 <= self.interval[1]

    @property
    def better(self) -> bool:
        """Whether the run's score is the better of the two."""
        return (self.mean > 0) == (self.column.better != "lower")

    @property
    def amount(self) -> str:
        """The difference with its sign."""
        return text.signed(self.mean, self.column.percent)

    @property
    def bounds(self) -> str:
        """The interval."""
        return text.bounds(self.interval, self.column.percent, sign=True)

    @property
    def verdict(self) -> str:
        """One or two words for the difference."""
        if self.within_noise:
            return "within noise"
        return "better" if self.better else "worse"


def since_start(record: RunRecord) -> Difference | None:
    """Return how far the run has come on the validation data since its start, the networks after the warm-up.

    None where the run has no validation data or no finished round, or the leading score is no mean over examples.
    """
    if not {"start", "latest"} <= set(record.validated):
        return None
    return _leading(record, record.validated["latest"], record.validated["start"], "the start")


def against_predictors(record: RunRecord) -> list[Difference]:
    """Return the differences to each predictor beside the run, on the data of its final scores."""
    own = next((scores for scores in record.scores if scores.predictor == OWN), None)
    if own is None:
        return []
    others = [scores for scores in record.scores if scores.predictor != OWN and scores.data == own.data]
    compared = (_leading(record, own, other, other.predictor) for other in others)
    return [difference for difference in compared if difference is not None]


def outcome(record: RunRecord) -> list[str]:
    """Return sentences on the result: what joint training changed, what the adjustment cost and how many it moved."""
    sentences = []
    rounds = max((entry.round for entry in record.rounds), default=0)
    difference = since_start(record)
    if difference is not None and rounds:
        name, start = difference.column.name, "what the warm-up left (round 0)"
        unit = " points" if difference.column.percent else ""
        seen = f"{difference.bounds}, paired over {text.count(difference.examples)} {difference.data} examples"
        after = f"After {rounds} {'round' if rounds == 1 else 'rounds'} of joint training"
        if difference.within_noise:
            found = f"{difference.amount}{unit} (95{text.PERCENT} interval {seen})"
            sentences.append(f"{after}, {name} is within noise of {start}: {found}.")
        else:
            size = text.score(abs(difference.mean), difference.column.percent)
            sentences.append(f"{after}, {name} is {difference.verdict} than {start} by {size}{unit} ({seen}).")
    if taken := _adjustment(record):
        sentences.append(taken)
    return sentences


def _adjustment(record: RunRecord) -> str:
    """Say what sampling the adjustment took, and how many examples it moved."""
    last = next((entry.sampler for entry in reversed(record.rounds) if entry.sampler is not None), None)
    if last is None:
        return ""
    moved = f"moved {text.share(last.moved)} of the training examples in the last round"
    total = math.fsum(float(entry["seconds"]) for entry in record.timing)
    spent = math.fsum(float(entry["seconds"]) for entry in record.timing if entry["phase"] == "E-step")
    if not total:
        return f"Sampling the adjustment {moved}."
    return f"Sampling the adjustment took {text.share(spent / total)} of the training time and {moved}."


def _leading(record: RunRecord, own: ScoreRecord, other: ScoreRecord, name: str) -> Difference | None:
    """Compare two records by the first score that both have example by example."""
    for column in columns(record):
        if column.name not in own.values or column.name not in other.values:
            continue
        metric = metric_of(column.name, [own, other])
        if metric is None:
            return None
        pairs = _pairs(own.per_example[metric], other.per_example[metric])
        interval = bootstrap_interval(pairs[None])
        if interval is None:
            return None
        return Difference(name, own.data, column, pairs.size, float(pairs.mean()), interval)
    return None


def _pairs(own: Mapping[str, float], other: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the differences of the examples that both have a score for, in the order of their ids."""
    names: Sequence[str] = sorted(set(own) & set(other))
    differences = np.array([text.finite(own[name]) - text.finite(other[name]) for name in names], dtype=np.float64)
    finite: NDArray[np.float64] = differences[np.isfinite(differences)]
    return finite
