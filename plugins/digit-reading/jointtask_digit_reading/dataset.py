"""The data set `rotated-digits`: handwritten digits, rotated and set among clutter."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from jointtask.api import Context, MemoryDataset, derive
from jointtask_digit_reading.angle import wrap
from jointtask_digit_reading.scene import CROP, FRAME, Scene, place
from jointtask_digit_reading.settings import RotatedDigits

__all__ = ["SPLITS", "RotatedDigitsDataset", "rotated_digits"]

SPLITS = {"train": (0, 1000), "validation": (1000, 1300), "test": (1300, 1797)}
"""Which of the 1,797 digits belong to a split: a writer's digits lie together, so hardly a writer is in two."""

_REACH = (15.0, 24.0)
"""Distance of a clutter digit's middle from the frame's, in pixels: it touches the digit, but does not hide it."""

_SIZES = (10.0, 20.0)
"""Sides that clutter digits are drawn at, in pixels."""


class RotatedDigitsDataset(MemoryDataset):
    """Scenes of the UCI digits that scikit-learn carries.

    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998: 8 x 8
    values of 43 people's handwriting, of which scikit-learn carries the part of 13. A scene depends on (settings, seed,
    split, position) alone, not on how many there are. The annotated angle is the true one, a half turn away for a share
    `annotation_flips` of the scenes, and normal noise of `annotation_noise` degrees.

    A batch has ``image`` (B, 40, 40), uint8; ``digit`` (B,), int64; ``angle`` (B, 1), float32, as
    annotated, in degrees.

    Parameters
    ----------
    settings : RotatedDigits
        Split, number of scenes, and what is random about them.
    """

    def __init__(self, settings: RotatedDigits) -> None:
        ids = [f"{settings.split}-{settings.seed}-{index:05d}" for index in range(settings.examples)]
        scenes = [_make(settings, index, name) for index, name in enumerate(ids)]
        first, stop = SPLITS[settings.split]
        tensors = {
            "image": torch.from_numpy(np.stack([scene.image for scene in scenes])),
            "digit": torch.tensor([scene.digit for scene in scenes]),
            "angle": torch.tensor([[scene.annotated] for scene in scenes]),
        }
        notes = [
            f"{settings.examples:,} scenes of {min(settings.examples, stop - first):,} handwritten digits",
            f"annotated angles: noise of {settings.annotation_noise:g} degrees, "
            f"{100 * settings.annotation_flips:g} % upside down",
        ]
        super().__init__(ids, tensors, scenes, annotation=["digit", "angle"], notes=notes)


def rotated_digits(settings: RotatedDigits, context: Context) -> RotatedDigitsDataset:
    """Build the data set `rotated-digits`."""
    return RotatedDigitsDataset(settings)


def _make(settings: RotatedDigits, index: int, name: str) -> Scene:
    rng = np.random.default_rng(derive("rotated-digits 1", settings.seed, settings.split, index))
    digits, labels = _digits()
    first, stop = SPLITS[settings.split]
    # every digit of the split once before any comes twice
    which = first + int(_order(settings.seed, stop - first)[index % (stop - first)])
    angle = rng.uniform(-settings.rotation, settings.rotation)
    around = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(settings.clutter) / max(1, settings.clutter)
    reach = rng.uniform(*_REACH, settings.clutter)
    pieces = [which, *rng.integers(first, stop, settings.clutter)]
    angles = np.append(angle, rng.uniform(-180, 180, settings.clutter))
    middles = np.vstack([[0, 0], np.stack([reach * np.cos(around), reach * np.sin(around)], axis=1)])
    sides = np.append(CROP, rng.uniform(*_SIZES, settings.clutter))
    drawn = place(*(torch.from_numpy(part).float() for part in (digits[pieces], angles, middles, sides)))
    ink = drawn.amax(dim=0).numpy() + settings.noise * rng.standard_normal((FRAME, FRAME))
    flipped = rng.random() < settings.annotation_flips
    annotated = angle + 180 * flipped + settings.annotation_noise * rng.standard_normal()
    return Scene(
        id=name,
        image=np.rint(200 * ink + 25).clip(0, 255).astype(np.uint8),
        digit=int(labels[which]),
        angle=float(angle),
        annotated=float(wrap(torch.tensor(annotated, dtype=torch.float32))),
    )


@cache
def _digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return all digits, (1797, 8, 8) with ink from 0 to 1, and what they are, (1797,)."""
    data = load_digits()
    return (data.images / 16).astype(np.float32), data.target.astype(np.int64)


@cache
def _order(seed: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng(derive("rotated-digits order", seed)).permutation(count)
