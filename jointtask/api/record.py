"""Frozen records of what a run did: what is written to disk and what the report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

__all__ = ["OWN", "Energy", "OracleRecord", "RoundRecord", "RunRecord", "SamplerRecord", "ScoreRecord"]

OWN = "this run"
"""What a run's own scores are called among those of predictors."""


@frozen
class Energy:
    """The objective (Eq. 6) and its two terms: means over examples, weights applied."""

    upstream: float
    downstream: float

    @property
    def total(self) -> float:
        """The objective."""
        return self.upstream + self.downstream


@frozen
class OracleRecord:
    """A sampler against exhaustive enumeration, on `examples` examples.

    Attributes
    ----------
    examples : int
        Number of examples enumerated.
    regret : float
        Mean energy of the estimate above the exhaustive optimum; 0 is perfect.
    mass : float
        Mean posterior probability of the states visited, in [0, 1].
    """

    examples: int
    regret: float
    mass: float


@frozen
class SamplerRecord:
    """Diagnostics of one E-step: means over examples.

    Attributes
    ----------
    acceptance : float or None
        Share of moves accepted; None for a sampler that makes none.
    visited, evaluated : float
        Distinct states visited, and distinct states whose downstream energy was computed, an example.
    gain : float
        Energy at no adjustment minus energy at the estimate; never negative for the estimate `best`.
    moved : float
        Share of examples whose estimate differs from no adjustment.
    effective : float or None
        Effective number of draws, from their weights or, for a chain, from its autocorrelation.
    oracle : OracleRecord or None
        Comparison with exhaustive enumeration; None if `em.oracle_examples` is 0.
    """

    acceptance: float | None
    visited: float
    evaluated: float
    gain: float
    moved: float
    effective: float | None
    oracle: OracleRecord | None


@frozen
class RoundRecord:
    """One round; no clock in it.

    Attributes
    ----------
    round : int
        Number of the round, from 1. Round 0 is the end of the warm-up: only its `training` and `validation` are filled.
    start, estimate : Energy or None
        Objective at no adjustment and at the estimate, by the networks that entered the round.
    sampler : SamplerRecord or None
        Diagnostics of the E-step.
    adjustment : sequence of (D,) mappings
        Counts of the estimates for each coordinate, ``{level: count}``, level as text.
    training : mapping of str to float
        Mean of what the M-step minimised in the last epoch - the energies, or what a task has in their place - by
        "upstream" and "downstream", weights applied, augmented; not of a network whose parameters are all frozen.
    validation : mapping of str to float
        Scores through the predicted reference, by summary name; empty without validation data.
    """

    round: int
    start: Energy | None = None
    estimate: Energy | None = None
    sampler: SamplerRecord | None = None
    adjustment: Sequence[Mapping[str, int]] = ()
    training: Mapping[str, float] = field(factory=dict)
    validation: Mapping[str, float] = field(factory=dict)


@frozen
class ScoreRecord:
    """Scores of one predictor on one data set.

    Attributes
    ----------
    predictor : str
        `OWN`, or a predictor's name.
    data : str
        "validation" or "test", or the name of another data set.
    examples : int
        Number of examples scored.
    values : mapping of str to float
        Numbers over the data set, by summary name.
    per_example : mapping of str to mapping of str to float
        Scores by metric name, then example id; only of metrics that give one number an example.
    """

    predictor: str
    data: str
    examples: int
    values: Mapping[str, float]
    per_example: Mapping[str, Mapping[str, float]] = field(factory=dict)


@frozen
class RunRecord:
    """One run, as far as it has come.

    Attributes
    ----------
    name : str
        Name of the run, `run.name`.
    directory : str
        Path of the run directory.
    config : mapping
        Tables of the resolved run file.
    versions : mapping of str to str
        Versions of Python, torch, jointtask and plugins; device, threads, processes.
    data : mapping of str to mapping
        Number of `examples`, `fingerprint` and `notes` of each of train, validation, test; `starts` of data in shards.
    parameters : mapping of str to int
        Number of parameters, by "upstream" and "downstream".
    rounds : sequence of RoundRecord
        Rounds so far.
    timing : sequence of mappings
        Time of each phase, ``{"round": int, "phase": str, "seconds": float}``.
    scores : sequence of ScoreRecord
        Scores of the finished run and of the predictors beside it.
    definitions : mapping of str to mapping
        Meaning of each score by summary name: `definition`, `better`, `percent`.
    warnings : sequence of str
        Advice for the user, each with a setting to change.
    finished : bool
        Whether the run came to its end.
    period : sequence of float or None, (D,)
        Period of each coordinate of the adjustment that is a ring, None for the others; may be shorter.
    validated : mapping of str to ScoreRecord
        Scores on the validation data, example by example: "start" by the networks after the warm-up (round 0), "latest"
        by those after the last finished round.
    """

    name: str
    directory: str
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    data: Mapping[str, Mapping[str, Any]]
    parameters: Mapping[str, int]
    rounds: Sequence[RoundRecord] = ()
    timing: Sequence[Mapping[str, Any]] = ()
    scores: Sequence[ScoreRecord] = ()
    definitions: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    warnings: Sequence[str] = ()
    finished: bool = False
    period: Sequence[float | None] = ()
    validated: Mapping[str, ScoreRecord] = field(factory=dict)
