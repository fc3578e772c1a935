"""Frozen records of a comparison: what is written to `comparison.json`, and what tables and page show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

__all__ = ["VERSION", "ArmRecord", "Comparison", "Cost", "Identical", "SeedRecord", "Statistic"]

VERSION = 1
"""Of the layout of `comparison.json`."""


@frozen
class Cost:
    """The cost of a run.

    Attributes
    ----------
    seconds : float
        Wall-clock time of the training: data, E-steps, M-steps and the scores of each round.
    evaluations : float
        States whose downstream energy was computed, over all examples and E-steps.
    presented : int
        Examples that the M-steps and the warm-up trained on, with repetition.
    """

    seconds: float
    evaluations: float
    presented: int


@frozen
class SeedRecord:
    """One run of an arm.

    Attributes
    ----------
    seed : int
        `run.seed`.
    directory : str
        The run directory, relative to that of the comparison.
    failure : str
        Reason why there is no result; "" if there is one, and then only the rest is filled.
    values : mapping of str to float
        Scores by summary name.
    rounds : sequence of int
        The numbers of the rounds, 0 for the warm-up.
    objective : sequence of float
        Mean energy at the estimate for each of `rounds`; NaN where there was no E-step.
    validation : mapping of str to sequence of float
        Scores on the validation data for each of `rounds`, by summary name.
    cost : Cost or None
        Cost of the run; None if it failed.
    weights : str
        SHA-256 of `model.safetensors`.
    """

    seed: int
    directory: str
    failure: str = ""
    values: Mapping[str, float] = field(factory=dict)
    rounds: Sequence[int] = ()
    objective: Sequence[float] = ()
    validation: Mapping[str, Sequence[float]] = field(factory=dict)
    cost: Cost | None = None
    weights: str = ""


@frozen
class Statistic:
    """One score of an arm.

    Attributes
    ----------
    mean : float
        Mean over the seeds that finished.
    interval : tuple of two floats or None
        95 % by Student's t over seeds; None for one seed.
    difference : float or None
        Difference to the reference, over the seeds and examples that both have; None for the reference itself, and
        where there is nothing to pair.
    difference_interval : tuple of two floats or None
        95 % by a paired bootstrap; None where the score is no mean over examples.
    """

    mean: float
    interval: tuple[float, float] | None = None
    difference: float | None = None
    difference_interval: tuple[float, float] | None = None

    @property
    def within_noise(self) -> bool:
        """Whether the interval of the difference includes zero."""
        return self.difference_interval is not None and self.difference_interval[0] <= 0 <= self.difference_interval[1]


@frozen
class ArmRecord:
    """One arm.

    Attributes
    ----------
    name : str
        Name in the run file, or made from the values that the arm varies.
    settings : mapping of str to str
        Settings of the arm by dotted key, as text.
    unread : sequence of str
        Settings of the arm that its runs did not read, and why.
    runs : sequence of SeedRecord
        Runs of the arm, in the order of the seeds.
    statistics : mapping of str to Statistic
        Statistics by summary name; empty if every seed failed.
    cost : Cost or None
        Mean over the seeds that finished.
    diagnostics : mapping of str to float
        Means over the seeds that finished, of the last round's E-step, by the names of `SamplerRecord` and
        `OracleRecord`: `acceptance`, `moved`, `gain`, `effective`, `evaluated`, `regret`, `mass`; and `seconds`, those
        of all E-steps. What was not measured is left out.
    """

    name: str
    settings: Mapping[str, str]
    unread: Sequence[str]
    runs: Sequence[SeedRecord]
    statistics: Mapping[str, Statistic] = field(factory=dict)
    cost: Cost | None = None
    diagnostics: Mapping[str, float] = field(factory=dict)


@frozen
class Identical:
    """Two arms that trained the same weights, to the last bit, for some seeds.

    Attributes
    ----------
    arms : tuple of two str
        Names of the two arms.
    seeds : sequence of int
        Seeds of the first arm for which they are identical.
    scores : bool
        Whether their scores on every example are the same, too.
    """

    arms: tuple[str, str]
    seeds: Sequence[int]
    scores: bool


@frozen
class Comparison:
    """Arms side by side.

    Attributes
    ----------
    name : str
        `run.name` of the run file.
    directory : str
        Folder of the comparison.
    reference : str
        Name of the arm that the others are compared with.
    data : str
        Data that was scored: "test" or "validation"; "" if none was.
    examples : int
        Number of examples scored.
    seeds : int
        Number of runs of each arm.
    arms : sequence of ArmRecord
        Arms in the order of the run file and the command.
    identical : sequence of Identical
        Pairs that came out the same.
    notes : sequence of str
        Further remarks for the reader.
    definitions : mapping of str to mapping
        Meaning of each score by summary name: `definition`, `better`, `percent`.
    resamples : int
        Behind each interval of a difference.
    predictors : sequence of ArmRecord
        The predictors beside the arms, without runs: their scores, and their differences to the reference arm.
    version : int
        `VERSION`.
    """

    name: str
    directory: str
    reference: str
    data: str
    examples: int
    seeds: int
    arms: Sequence[ArmRecord]
    identical: Sequence[Identical]
    notes: Sequence[str]
    definitions: Mapping[str, Mapping[str, Any]]
    resamples: int
    predictors: Sequence[ArmRecord] = ()
    version: int = VERSION

    @property
    def failures(self) -> list[tuple[str, SeedRecord]]:
        """The runs that failed, with their arms."""
        return [(arm.name, run) for arm in self.arms for run in arm.runs if run.failure]
