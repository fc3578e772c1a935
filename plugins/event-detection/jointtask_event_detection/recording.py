"""How a recording is made: normal beats, a run of abnormal ones, and what disturbs them.

Times are in samples, 128 a second; a normal beat is about 1 high. A recording is the sum of

- normal beats, 0.6 to 1 s apart with a jitter of 4 %: a narrow complex (down, up, down: normal densities of 0.01 to
  0.02 s), a low wave before it and a broad one after;
- in one run of 0.6 to 2.5 s, instead of them, two to five abnormal beats, 0.36 to 0.5 s apart: broad complexes of two
  waves without the one before, often inverted. The samples from where a complex first exceeds a tenth of its height to
  where it last does carry the label 1, those between two complexes do not;
- a baseline that drifts (three sines of 0.1 to 0.6 Hz), white noise, and distractors: bursts of muscle noise of 0.2 to
  0.6 s, and steps of the electrode that decay within 0.4 s. Neither is labelled.

The shapes are those of textbooks (sums of normal densities, as in McSharry et al., IEEE Trans. Biomed. Eng. 50, 2003),
not of patients: nothing measured here says anything about electrocardiograms.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask_event_detection.settings import Heartbeats

__all__ = ["LENGTH", "RATE", "Recording", "make_recording"]

LENGTH = 512
"""Samples of a recording."""

RATE = 128
"""Samples a second."""

_ABOVE = 0.1
"""Of its height, above which an abnormal complex is labelled."""

Values = NDArray[np.float64]


@frozen(eq=False)
class Recording:
    """One example at its own size, which is the frame's.

    Attributes
    ----------
    id : str
        Name of the recording in the data set.
    values : ndarray, (512,), float32
        The recording.
    label : ndarray, (512,), uint8
        1 on the samples of abnormal complexes.
    marked : ndarray, (2,), float32
        Onset and offset of the run as an annotator marked them, half-open, in samples.
    """

    id: str
    values: NDArray[np.float32]
    label: NDArray[np.uint8]
    marked: NDArray[np.float32]

    @property
    def interval(self) -> NDArray[np.float32]:
        """Onset and offset of the run, (2,), half-open: first labelled sample, and one after the last."""
        inside = np.flatnonzero(self.label)
        return np.array([inside[0], inside[-1] + 1], dtype=np.float32)


def make_recording(settings: Heartbeats, rng: np.random.Generator, name: str) -> Recording:
    """Make a recording; everything random comes from `rng`."""
    values = np.zeros(LENGTH)
    label = np.zeros(LENGTH, dtype=np.uint8)
    apart = rng.uniform(0.6, 1.0) * RATE
    count = int(rng.integers(2, 6))
    step = rng.uniform(0.36, 0.50) * RATE
    length = (count - 1) * step
    onset = rng.uniform(0.12 * LENGTH, 0.88 * LENGTH - length)
    shape = _abnormal(rng)
    for beat in range(count):
        complex_ = _at(onset + beat * step + rng.normal(0, 0.02 * step), shape)
        values += complex_
        above = np.flatnonzero(np.abs(complex_) > _ABOVE * np.abs(complex_).max())
        label[above[0] : above[-1] + 1] = 1
    normal = _normal(rng)
    before, after = onset - apart, onset + length + 1.2 * apart
    while before > -apart:
        values += _at(before, normal)
        before -= apart * rng.normal(1, 0.04)
    while after < LENGTH + apart:
        values += _at(after, normal)
        after += apart * rng.normal(1, 0.04)
    values += _drift(settings.drift, rng) + settings.noise * rng.standard_normal(LENGTH)
    for _ in range(rng.integers(0, settings.distractors + 1)):
        values += _distractor(rng)
    inside = np.flatnonzero(label)
    marked = np.array([inside[0], inside[-1] + 1]) + settings.annotation_noise * rng.standard_normal(2)
    return Recording(name, values.astype(np.float32), label, _in_order(marked))


def _in_order(marked: Values) -> NDArray[np.float32]:
    """Return both ends in order and inside the recording, at least a sample apart."""
    first, last = np.sort(marked)
    first = np.clip(first, 0, LENGTH - 1)
    return np.array([first, np.clip(last, first + 1, LENGTH)], dtype=np.float32)


Wave = tuple[float, float, float]
"""Time from the beat in seconds, standard deviation in seconds, height."""


def _normal(rng: np.random.Generator) -> list[Wave]:
    height = rng.uniform(0.8, 1.2)
    return [
        (-0.16, 0.025, rng.uniform(0.08, 0.18)),
        (-0.025, 0.010, -0.15 * height),
        (0.0, 0.012, height),
        (0.028, 0.012, -0.25 * height),
        (0.26, 0.050, rng.uniform(0.15, 0.35)),
    ]


def _abnormal(rng: np.random.Generator) -> list[Wave]:
    height = rng.uniform(0.7, 1.3) * (-1 if rng.random() < 0.4 else 1)
    return [
        (0.0, rng.uniform(0.035, 0.055), height),
        (rng.uniform(0.10, 0.14), rng.uniform(0.035, 0.055), -rng.uniform(0.3, 0.6) * height),
    ]


def _at(time: float, waves: list[Wave]) -> Values:
    """Return a beat at a time in samples."""
    seconds = (np.arange(LENGTH) - time) / RATE
    return sum(
        (height * np.exp(-0.5 * ((seconds - at) / width) ** 2) for at, width, height in waves), start=np.zeros(LENGTH)
    )


def _drift(amplitude: float, rng: np.random.Generator) -> Values:
    seconds = np.arange(LENGTH) / RATE
    waves = zip(rng.uniform(0.1, 0.6, 3), rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.2, 1, 3), strict=True)
    return amplitude * sum(
        (size / 2 * np.sin(2 * np.pi * rate * seconds + phase) for rate, phase, size in waves), start=np.zeros(LENGTH)
    )


def _distractor(rng: np.random.Generator) -> Values:
    """Return a burst of muscle noise, or a step of the electrode that decays."""
    position = np.arange(LENGTH) - rng.uniform(0, LENGTH)
    if rng.random() < 0.5:
        half = rng.uniform(0.1, 0.3) * RATE
        envelope: Values = np.where(np.abs(position) < half, np.cos(np.pi / 2 * position / half), 0.0)
        return rng.uniform(0.2, 0.5) * envelope * rng.standard_normal(LENGTH)
    decay = rng.uniform(0.05, 0.15) * RATE
    size = rng.uniform(0.4, 1.0) * rng.choice([-1, 1])
    return np.asarray(np.where(position >= 0, size * np.exp(-np.maximum(position, 0) / decay), 0.0))
