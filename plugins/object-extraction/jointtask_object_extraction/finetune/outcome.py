"""What fine-tuning gained over the shipped model, on the images held back."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from jointtask.api import OWN, RunRecord
from jointtask.tools import bootstrap_interval

__all__ = ["Gain", "gain_lines", "gain_of"]

_METRIC, _START = "iou", "shipped"


@frozen
class Gain:
    """The mean J of a run and of the shipped model on the same images.

    Attributes
    ----------
    examples : int
        Number of images scored by both.
    before, after : float
        Mean J of the shipped model and of the run, in [0, 1].
    interval : tuple of two floats or None
        95 % interval of the mean paired difference; None for fewer than two images.
    """

    examples: int
    before: float
    after: float
    interval: tuple[float, float] | None


def gain_of(record: RunRecord) -> Gain | None:
    """Return what a run gained over the shipped model; None where one of them has no scores."""
    scores = {score.predictor: score.per_example.get(_METRIC, {}) for score in record.scores}
    own, start = scores.get(OWN, {}), scores.get(_START, {})
    pairs = np.array([(start[name], own[name]) for name in sorted(own) if name in start], dtype=np.float64)
    pairs = pairs[np.isfinite(pairs).all(axis=1)] if len(pairs) else pairs
    if not len(pairs):
        return None
    before, after = pairs.mean(axis=0)
    return Gain(len(pairs), float(before), float(after), bootstrap_interval((pairs[:, 1] - pairs[:, 0])[None]))


def gain_lines(gain: Gain) -> list[str]:
    """Say the gain, and whether it is more than chance."""
    difference = 100 * (gain.after - gain.before)
    lines = [
        f"J on the {gain.examples} images held back: {100 * gain.after:.1f}, the shipped model {100 * gain.before:.1f}:"
        f" {difference:+.1f}{_bounds(gain)}"
    ]
    if gain.interval is None or gain.interval[0] <= 0 <= gain.interval[1]:
        lines.append("this may be chance: keep the shipped model, unless more images held back say otherwise")
    elif difference < 0:
        lines.append("the shipped model is better here: keep it, or see docs/finetuning.md")
    return lines


def _bounds(gain: Gain) -> str:
    if gain.interval is None:
        return ""
    low, high = (100 * bound for bound in gain.interval)
    return f" ({low:+.1f} to {high:+.1f}, paired, 95 %)"
