"""The bridge of event detection: intervals adjusted, read at a fixed number of points and written back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor

from jointtask.api import Augmented, Batch, Condition, Context, LatentGrid, Streams
from jointtask_event_detection.detection import Detection
from jointtask_event_detection.likelihood import LabelTarget
from jointtask_event_detection.recording import LENGTH, Recording
from jointtask_event_detection.resample import coverage, inside, read, write
from jointtask_event_detection.settings import IntervalAdjustment

__all__ = ["LABELLED", "MARKED", "SHORTEST", "IntervalBridge", "interval_adjustment"]

MARKED, LABELLED = "is_marked", "is_labelled"
"""Names of what says of a batch's recordings which are marked, and which are labelled."""

SHORTEST = 16.0
"""Samples of the shortest reference that can be labelled."""

_OUTSIDE = 1e-3
"""Probability of the event outside the reference, in the frame likelihood."""

_ROUNDING = 1e-3
"""What float32 may take off an interval of exactly `SHORTEST` samples, and more."""


def interval_adjustment(settings: IntervalAdjustment, context: Context) -> IntervalBridge:
    """Build the bridge for the number of points that the downstream task declares."""
    return IntervalBridge(
        grid=LatentGrid.product([settings.levels] * 2),
        points=context.downstream.points,
        likelihood=settings.likelihood,
        margin=settings.margin,
        annotation_scale=settings.annotation_scale if settings.center == "prediction" else None,
        jitter=settings.jitter,
        flip=settings.flip,
    )


@frozen(eq=False)
class IntervalBridge:
    """References are half-open intervals (onset, offset) in samples; sample i covers ``[i, i + 1)``.

    A reference may leave the recording, by at most what leaves 16 samples of it inside. A batch has `values`, (B, L)
    float32, and, where it is annotated, a `label`, (B, L) uint8, and the `marked` interval, (B, 2) float32. Where some
    recordings lack one of the two, `is_marked` and `is_labelled`, (B,) bool, say which have it.

    Attributes
    ----------
    grid : LatentGrid
        The adjustments of both ends, in samples.
    points : int
        Points that a reference is read at, O: the downstream task's input and output.
    likelihood : "reference" or "frame"
        Whether the downstream energy counts the points inside the reference, or every sample of the recording.
    margin : float
        Added at both ends of the marked interval, in samples.
    annotation_scale : float or None
        Standard deviation of a marked end about the reference's, in samples, where the E-step adjusts the predicted
        interval; None where it adjusts the marked one.
    jitter : float
        Largest displacement of an end by `augment`, in samples.
    flip : bool
        Whether `augment` turns recordings upside down.
    """

    grid: LatentGrid
    points: int
    likelihood: Literal["reference", "frame"] = "frame"
    margin: float = 0.0
    annotation_scale: float | None = None
    jitter: float = 0.0
    flip: bool = False
    coordinates: tuple[str, ...] = field(default=("onset", "offset"), init=False)
    units: str = field(default="samples", init=False)
    keys: tuple[str, ...] = field(default=("values", "label", "marked"), init=False)
    annotation: tuple[str, ...] = field(default=("label", "marked"), init=False)
    present: tuple[str, str] = field(default=(MARKED, LABELLED), init=False)

    def base(self, batch: Batch) -> Tensor:
        """Return the marked intervals with their margin, (B, 2), float32; always usable.

        Of an unmarked recording, the interval from its first labelled sample to its last.
        """
        marked = batch["marked"].float()
        if MARKED in batch:
            marked = torch.where(batch[MARKED][:, None], marked, _labelled_interval(batch["label"]))
        return self.admit(marked + torch.tensor([-self.margin, self.margin]).to(marked))

    def reference(self, centre: Tensor, state: Tensor) -> Tensor:
        """Move the ends of centres (B, 2) by states (K, 2) or (B, K, 2): intervals (B, K, 2)."""
        return centre[:, None] + state.to(centre)

    def usable(self, reference: Tensor) -> Tensor:
        """Say of intervals (..., 2) whether at least 16 samples of the recording lie inside: (...,), bool."""
        first, last = reference.clamp(0, LENGTH).unbind(-1)
        return last - first >= SHORTEST - _ROUNDING

    def admit(self, reference: Tensor) -> Tensor:
        """Return the usable intervals nearest to any two numbers (..., 2): in order, long enough, inside enough."""
        low, high = reference.amin(dim=-1), reference.amax(dim=-1)
        missing = (SHORTEST - (high - low)).clamp(min=0) / 2
        low, high = (low - missing).clamp(max=LENGTH - SHORTEST), (high + missing).clamp(min=SHORTEST)
        return torch.stack([low, high], dim=-1)

    def condition(self, batch: Batch, reference: Tensor) -> Condition:
        """Read recordings and labels inside references (B, K, 2).

        The input is (B * K, O) float32; the target, a `LabelTarget`, has the labels at 0.5, None without an annotation.
        """
        values = read(batch["values"], reference, self.points).flatten(0, 1)
        if "label" not in batch:
            return Condition(values, None)
        whole = batch["label"].float()
        label = (read(whole, reference, self.points) >= 0.5).float().flatten(0, 1)
        scale, offset = self._scale(whole, reference)
        return Condition(values, LabelTarget(label, scale.flatten(), offset.flatten()))

    def _scale(self, label: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scale and the offset, (B, K), of the summed cross entropy.

        The frame likelihood is ``(O / L) [ |R| / O sum_j BCE_j + |event outside R| (-log eps) + |rest outside R|
        (-log(1 - eps)) ]``, with lengths |.| inside the recording, in samples.
        """
        if self.likelihood == "reference":
            return torch.ones_like(reference[..., 0]), torch.zeros_like(reference[..., 0])
        covered = coverage(reference, LENGTH)
        length = covered.sum(dim=-1)
        outside = ((1 - covered) * label[:, None]).sum(dim=-1)
        rest = (LENGTH - length - outside).clamp(min=0)
        offset = outside * -math.log(_OUTSIDE) + rest * -math.log1p(-_OUTSIDE)
        return length / LENGTH, offset * (self.points / LENGTH)

    def restore(self, prediction: Tensor, reference: Tensor) -> Tensor:
        """Write log odds (B * K, O) into recordings: probabilities (B, K, L), 0 outside the reference."""
        probability = prediction.float().sigmoid().reshape(*reference.shape[:2], self.points)
        return write(probability, reference, LENGTH)

    def covers(self, reference: Tensor) -> Tensor:
        """Say which samples of the recording have their middle in references (B, K, 2): (B, K, L), bool."""
        return inside(reference, LENGTH)

    def frames(self, examples: Sequence[Recording]) -> dict[str, Tensor]:
        """Return the values of recordings, (B, 512)."""
        return {"values": torch.from_numpy(np.stack([example.values for example in examples]))}

    def finish(self, frame: Tensor, reference: Tensor, example: Recording) -> Detection:
        """Return the detection in one recording: probabilities (L,), and the reference (2,) without its margin."""
        inner = reference.float() + torch.tensor([self.margin, -self.margin])
        first, last = inner.amin().clamp(0, LENGTH), inner.amax().clamp(0, LENGTH)
        return Detection(frame.numpy(force=True), torch.stack([first, last]).numpy(force=True))

    def augment(self, batch: Batch, reference: Tensor, random: Streams) -> Augmented:
        """Turn recordings upside down at random, and jitter the ends of what the downstream task sees.

        Each row draws 1 + 2 K uniform numbers, whatever the settings.
        """
        drawn = random.uniform(1 + 2 * reference.shape[1]).to(reference)
        changed = dict(batch)
        if self.flip:
            changed["values"] = batch["values"] * torch.where(drawn[:, :1] < 0.5, -1.0, 1.0)
        moved = reference + self.jitter * (2 * drawn[:, 1:].reshape_as(reference) - 1)
        return Augmented(changed, reference, self.admit(moved) if self.jitter else reference)


def _labelled_interval(label: Tensor) -> Tensor:
    """Return the intervals from the first labelled sample of (B, L) to the last, (B, 2); all of it where none is."""
    inside = (label > 0) | ~(label > 0).any(dim=1, keepdim=True)
    first = inside.int().argmax(dim=1)
    last = label.shape[1] - inside.flip(1).int().argmax(dim=1)
    return torch.stack([first, last], dim=1).float()
