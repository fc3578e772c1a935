"""The settings of every component of this plugin; light to import, so that listing them costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from attrs import frozen

from jointtask.api import setting

__all__ = ["ChangePoints", "Heartbeats", "IntervalAdjustment", "Labelling", "Localization"]


def _one_each(instance: Any, attribute: Any, value: float) -> None:
    if value + instance.unlabelled > 1:
        raise ValueError("and unlabelled must not be above 1 together: a recording lacks one annotation at most")


@frozen
class Heartbeats:
    """`heartbeats`: generated recordings of a heart, with one run of abnormal beats in each."""

    split: Literal["train", "validation", "test"] = setting(help="split of the data; splits share no recording")
    examples: int = setting(400, "number of recordings", ge=1, le=10_000_000)
    seed: int = setting(0, "seed of the generator", ge=0)
    noise: float = setting(0.12, "standard deviation of the noise, a normal beat being 1 high", ge=0)
    drift: float = setting(0.4, "amplitude of the baseline's drift", ge=0)
    distractors: int = setting(2, "largest number of bursts of muscle noise and steps of the electrode", ge=0, le=1000)
    annotation_noise: float = setting(0.0, "standard deviation of each marked end about the true one, in samples", ge=0)
    unlabelled: float = setting(
        0.0,
        "share of the recordings that are marked and carry no labels: the localization alone learns them",
        ge=0,
        le=1,
    )
    unmarked: float = setting(
        0.0,
        "share of the recordings that carry labels and are not marked: the labelling alone learns them",
        ge=0,
        le=1,
        validator=_one_each,
    )


@frozen
class Localization:
    """`event-localization`: from when to when the event lasts."""

    width: int = setting(24, "number of channels of a layer", ge=1, le=4096)


@frozen
class Labelling:
    """`event-labelling`: which samples inside the reference belong to the event."""

    width: int = setting(16, "number of channels of a layer", ge=1, le=4096)


@frozen
class IntervalAdjustment:
    """`interval-adjustment`: both ends of an interval, displaced."""

    levels: Sequence[float] = setting(
        (-24.0, -16.0, -8.0, 0.0, 8.0, 16.0, 24.0), "displacements of each end, in samples"
    )
    center: Literal["target", "prediction"] = setting(
        "target", "interval that the E-step adjusts: the marked one, or the predicted one"
    )
    annotation_scale: float = setting(
        16.0,
        "standard deviation of a marked end about the reference's, in samples, if the predicted one is adjusted",
        gt=0,
    )
    likelihood: Literal["reference", "frame"] = setting(
        "frame", "samples that the downstream energy counts: inside the reference, or all"
    )
    margin: float = setting(8.0, "samples added at both ends of the marked interval", ge=0)
    jitter: float = setting(0.0, "largest random displacement of an end in the M-step, in samples", ge=0)
    flip: bool = setting(False, "whether recordings are turned upside down at random in the M-step")


@frozen
class ChangePoints:
    """`change-points`: references whose ends lie where the recording changes."""

    points: int = setting(16, "largest number of change points of a recording", ge=1, le=512)
    shortest: int = setting(8, "smallest distance between two of them, in samples", ge=2, le=512)
    scale: float = setting(6.0, "standard deviation of an end about a change point, in samples", gt=0)
