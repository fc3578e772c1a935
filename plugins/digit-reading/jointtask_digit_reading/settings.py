"""The settings of every component of this plugin; light to import, so that listing them costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from attrs import field, frozen, validators

__all__ = ["AngleAdjustment", "Orientation", "Reader", "RotatedDigits"]

_AT_LEAST_0: Any = validators.ge(0)
_AT_LEAST_1: Any = validators.ge(1)
_HALF_TURN: Any = [validators.ge(0), validators.le(180)]
_SHARE: Any = [validators.ge(0), validators.le(1)]


def _help(text: str) -> dict[str, Any]:
    return {"help": text}


@frozen
class RotatedDigits:
    """`rotated-digits`: handwritten digits, rotated and set among clutter."""

    split: Literal["train", "validation", "test"] = field(metadata=_help("splits share no handwritten digit"))
    examples: int = field(default=800, validator=_AT_LEAST_1, metadata=_help("how many"))
    seed: int = field(default=0, validator=_AT_LEAST_0, metadata=_help("of angles, clutter and annotation"))
    rotation: float = field(
        default=180.0,
        validator=_HALF_TURN,
        metadata=_help("digits are rotated at most this far either way, in degrees"),
    )
    clutter: int = field(default=5, validator=_AT_LEAST_0, metadata=_help("other digits that reach into the frame"))
    noise: float = field(
        default=0.08, validator=_AT_LEAST_0, metadata=_help("standard deviation of a pixel's noise, ink being 1")
    )
    annotation_noise: float = field(
        default=0.0,
        validator=_AT_LEAST_0,
        metadata=_help("standard deviation of the annotated angle about the true one, in degrees"),
    )
    annotation_flips: float = field(
        default=0.0, validator=_SHARE, metadata=_help("share of digits that were annotated upside down")
    )


@frozen
class Orientation:
    """`digit-orientation`: by how much the digit is rotated."""

    width: int = field(default=32, validator=_AT_LEAST_1, metadata=_help("channels of a layer"))


@frozen
class Reader:
    """`digit-reader`: which digit it is, once it is upright."""

    width: int = field(default=16, validator=_AT_LEAST_1, metadata=_help("channels of the first layer"))
    dropout: float = field(
        default=0.0, validator=[_AT_LEAST_0, validators.lt(1)], metadata=_help("share of features left out in training")
    )


@frozen
class AngleAdjustment:
    """`angle-adjustment`: the angle of a rotation, displaced."""

    levels: Sequence[float] = field(
        default=tuple(float(level) for level in range(-30, 31, 10)), metadata=_help("displacements, in degrees")
    )
    center: Literal["target", "prediction"] = field(
        default="target", metadata=_help("what the E-step adjusts: the annotated angle, or the predicted one")
    )
    annotation_scale: float = field(
        default=30.0,
        validator=validators.gt(0),
        metadata=_help("how far the annotated angle lies from the true one, in degrees, if the predicted is adjusted"),
    )
    turn: bool = field(default=False, metadata=_help("turn frames by quarters at random in the M-step"))
    jitter: float = field(
        default=0.0,
        validator=_AT_LEAST_0,
        metadata=_help("standard deviation of a random turn of what the reader learns under, in degrees"),
    )
