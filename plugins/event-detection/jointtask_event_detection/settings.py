"""The settings of every component of this plugin; light to import, so that listing them costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from attrs import field, frozen, validators

__all__ = ["ChangePoints", "Heartbeats", "IntervalAdjustment", "Labelling", "Localization"]

_AT_LEAST_0: Any = validators.ge(0)
_AT_LEAST_1: Any = validators.ge(1)
_POSITIVE: Any = validators.gt(0)


def _help(text: str) -> dict[str, Any]:
    return {"help": text}


@frozen
class Heartbeats:
    """`heartbeats`: generated recordings of a heart, with one run of abnormal beats in each."""

    split: Literal["train", "validation", "test"] = field(metadata=_help("splits share no recording"))
    examples: int = field(default=400, validator=_AT_LEAST_1, metadata=_help("how many"))
    seed: int = field(default=0, validator=_AT_LEAST_0, metadata=_help("of the generator"))
    noise: float = field(
        default=0.12,
        validator=_AT_LEAST_0,
        metadata=_help("standard deviation of the noise, a normal beat being 1 high"),
    )
    drift: float = field(default=0.4, validator=_AT_LEAST_0, metadata=_help("amplitude of the baseline's drift"))
    distractors: int = field(
        default=2, validator=_AT_LEAST_0, metadata=_help("bursts of muscle noise and steps of the electrode, at most")
    )
    annotation_noise: float = field(
        default=0.0,
        validator=_AT_LEAST_0,
        metadata=_help("standard deviation of each marked end about the true one, in samples"),
    )


@frozen
class Localization:
    """`event-localization`: from when to when the event lasts."""

    width: int = field(default=24, validator=_AT_LEAST_1, metadata=_help("channels of a layer"))


@frozen
class Labelling:
    """`event-labelling`: which samples inside the reference belong to the event."""

    width: int = field(default=16, validator=_AT_LEAST_1, metadata=_help("channels of a layer"))


@frozen
class IntervalAdjustment:
    """`interval-adjustment`: both ends of an interval, displaced."""

    levels: Sequence[float] = field(
        default=(-24.0, -16.0, -8.0, 0.0, 8.0, 16.0, 24.0), metadata=_help("displacements of each end, in samples")
    )
    center: Literal["target", "prediction"] = field(
        default="target", metadata=_help("what the E-step adjusts: the marked interval, or the predicted one")
    )
    annotation_scale: float = field(
        default=16.0,
        validator=_POSITIVE,
        metadata=_help("how far a marked end lies from the reference's, in samples, if the predicted one is adjusted"),
    )
    likelihood: Literal["reference", "frame"] = field(
        default="frame", metadata=_help("samples that the downstream energy counts: inside the reference, or all")
    )
    margin: float = field(
        default=8.0, validator=_AT_LEAST_0, metadata=_help("added at both ends of the marked interval, in samples")
    )
    jitter: float = field(
        default=0.0, validator=_AT_LEAST_0, metadata=_help("move the ends at random in the M-step, at most this far")
    )
    flip: bool = field(default=False, metadata=_help("turn recordings upside down at random in the M-step"))


@frozen
class ChangePoints:
    """`change-points`: references whose ends lie where the recording changes."""

    points: int = field(default=16, validator=_AT_LEAST_1, metadata=_help("change points of a recording, at most"))
    shortest: int = field(default=8, validator=validators.ge(2), metadata=_help("least samples between two of them"))
    scale: float = field(
        default=6.0, validator=_POSITIVE, metadata=_help("how near to one an end should be, in samples")
    )
