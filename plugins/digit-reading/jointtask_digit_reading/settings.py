"""The settings of every component of this plugin; light to import, so that listing them costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from attrs import frozen

from jointtask.api import setting

__all__ = ["AngleAdjustment", "Orientation", "Reader", "RotatedDigits"]


@frozen
class RotatedDigits:
    """`rotated-digits`: handwritten digits, rotated and set among clutter."""

    split: Literal["train", "validation", "test"] = setting(help="split of the data; splits share no handwritten digit")
    examples: int = setting(800, "number of scenes", ge=1, le=10_000_000)
    seed: int = setting(0, "seed of angles, clutter and annotation", ge=0)
    rotation: float = setting(180.0, "largest rotation of a digit either way, in degrees", ge=0, le=180)
    clutter: int = setting(5, "number of other digits that reach into the frame", ge=0, le=1000)
    noise: float = setting(0.08, "standard deviation of a pixel's noise, ink being 1", ge=0)
    annotation_noise: float = setting(
        0.0, "standard deviation of the annotated angle about the true one, in degrees", ge=0
    )
    annotation_flips: float = setting(0.0, "share of digits that were annotated upside down", ge=0, le=1)


@frozen
class Orientation:
    """`digit-orientation`: by how much the digit is rotated."""

    width: int = setting(32, "number of channels of a layer", ge=1, le=4096)


@frozen
class Reader:
    """`digit-reader`: which digit it is, once it is upright."""

    width: int = setting(16, "number of channels of the first layer", ge=1, le=4096)
    dropout: float = setting(0.0, "share of features left out in training", ge=0, lt=1)


@frozen
class AngleAdjustment:
    """`angle-adjustment`: the angle of a rotation, displaced."""

    levels: Sequence[float] = setting(tuple(float(level) for level in range(-30, 31, 10)), "displacements, in degrees")
    center: Literal["target", "prediction"] = setting(
        "target", "angle that the E-step adjusts: the annotated one, or the predicted one"
    )
    annotation_scale: float = setting(
        30.0,
        "standard deviation of the annotated angle about the true one, in degrees, if the predicted is adjusted",
        gt=0,
    )
    turn: bool = setting(False, "whether frames are turned by quarters at random in the M-step")
    jitter: float = setting(
        0.0, "standard deviation of a random turn of what the reader learns under, in degrees", ge=0
    )
