"""Boxes beside masks: those that masks imply, and the same with errors of annotation."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from jointtask.api import Streams
from jointtask_object_extraction.photograph import FRAME, Photograph

if TYPE_CHECKING:
    from jointtask_object_extraction.data.frames import FrameDataset

__all__ = ["PerturbedBoxes", "mask_boxes", "overlap", "perturb"]

_VERSION = "careless boxes 1"  # of how a box is perturbed: part of every digest
_TRIES = 16
_ELSEWHERE = 0.3
"""The IoU with the true box that a wrong one stays below."""


def mask_boxes(mask: Tensor) -> Tensor:
    """Return the tight half-open boxes of masks (B, H, W), uint8: (B, 4), float32; of an empty mask, all of it."""
    x1, x2 = _ends(mask.amax(dim=1) != 0)
    y1, y2 = _ends(mask.amax(dim=2) != 0)
    return torch.stack([x1, y1, x2, y2], dim=1)


def _ends(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """Return both ends, (B,), of the occupied cells (B, F), bool, of a line; all of it where none is occupied."""
    line = occupied | ~occupied.any(dim=1, keepdim=True)
    return line.int().argmax(dim=1).float(), line.shape[1] - line.flip(1).int().argmax(dim=1).float()


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return the intersection over union of boxes (..., 4), in [0, 1]; 0 where both are without area."""
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    shared = sides.clamp(min=0).prod(dim=-1)
    either = (a[..., 2:] - a[..., :2]).prod(dim=-1) + (b[..., 2:] - b[..., :2]).prod(dim=-1) - shared
    return shared / either.clamp(min=1e-6)


def perturb(box: Tensor, random: Streams, *, noise: float, wrong: float) -> Tensor:
    """Add errors of annotation to boxes.

    Parameters
    ----------
    box : Tensor, (B, 4), float32
        The true boxes, in frame units.
    random : Streams
        Streams of the same B examples; each row draws as many numbers, whatever the settings.
    noise : float
        Standard deviation of each side's own error, as a share of the box's width or height.
    wrong : float
        Share of the boxes that lie elsewhere: between two uniform positions across and two down, drawn again until the
        IoU with the true box is below 0.3 (16 times at most: then the least is taken).

    Returns
    -------
    Tensor, (B, 4), float32
        Half-open boxes with their sides in order, cut off at the edge of the frame.
    """
    error = random.normal(4).to(box)
    chance = random.uniform(1 + 4 * _TRIES).to(box)
    size = (box[:, 2:] - box[:, :2]).repeat(1, 2)
    drawn = _ordered(box + noise * size * error).clamp(0, FRAME)
    tries = _ordered(chance[:, 1:].reshape(-1, _TRIES, 4) * FRAME)
    iou = overlap(tries, box[:, None])
    elsewhere = iou < _ELSEWHERE
    first = torch.where(elsewhere.any(dim=1), elsewhere.int().argmax(dim=1), iou.argmin(dim=1))
    far = tries[torch.arange(len(box)), first]
    return torch.where(chance[:, :1] < wrong, far, drawn)


def _ordered(box: Tensor) -> Tensor:
    one, other = box[..., :2], box[..., 2:]
    return torch.cat([torch.minimum(one, other), torch.maximum(one, other)], dim=-1)


class PerturbedBoxes:
    """Annotated photographs with boxes of their own, wrong on purpose; a `jointtask.api.Dataset`.

    What is wrong with the box of an example depends on its id and the seed alone. Masks stay as they are, and so does
    what metrics see.

    Parameters
    ----------
    dataset : FrameDataset
        The photographs, whose masks imply the true boxes.
    noise, wrong : float
        Sizes of the errors, as `perturb` has them.
    seed : int
        Seed of the perturbation.
    """

    def __init__(self, dataset: FrameDataset, *, noise: float, wrong: float, seed: int) -> None:
        self._dataset = dataset
        self._noise, self._wrong, self._seed = noise, wrong, seed
        self.ids = dataset.ids
        self.digests = [_digest(_VERSION, str(noise), str(wrong), str(seed), digest) for digest in dataset.digests]
        self.input_digests = dataset.input_digests
        self.fingerprint = _digest(*self.ids, *self.digests)
        self.notes = [
            *dataset.notes,
            f"boxes are wrong on purpose: each side by {noise:.0%} of the box (standard deviation), {wrong:.0%} of the"
            " boxes lie elsewhere",
        ]

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._dataset)

    def batch(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return the frames of B examples, as the data set itself gives them, and `box`, (B, 4), in frame units."""
        batch = self._dataset.batch(index)
        random = Streams(self._seed, 0, [self.ids[row] for row in index], "careless box")
        batch["box"] = perturb(mask_boxes(batch["mask"]), random, noise=self._noise, wrong=self._wrong)
        return batch

    def example(self, index: int) -> Photograph:
        """Decode one example at its own size: it knows nothing of the box."""
        return self._dataset.example(index)


def _digest(*parts: str) -> str:
    return blake2b("\n".join(parts).encode(), digest_size=20).hexdigest()
