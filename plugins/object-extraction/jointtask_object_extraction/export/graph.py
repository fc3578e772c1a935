"""A trained pair as one module from a photograph to its probabilities and box, in operations that ONNX has."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jointtask_object_extraction.bridge.box import BoxBridge
from jointtask_object_extraction.bridge.crop import clip_boxes, enlarge
from jointtask_object_extraction.export.resample import crop_one, squash_bytes
from jointtask_object_extraction.photograph import FRAME

__all__ = ["WholePhotograph"]


class WholePhotograph(nn.Module):
    """Both networks, and all that lies before, between and after them, for one photograph.

    Parameters
    ----------
    predictor : Predictor
        Networks and bridge, and how they predict: from one reference, without draws.
    """

    def __init__(self, predictor: Any) -> None:
        super().__init__()
        pair = predictor.pair
        self.downstream = pair.downstream
        self.bridge: BoxBridge = pair.bridge
        self.relocations, self.mirror = predictor.relocations, predictor.mirror
        self.upstream = None if predictor.start == "whole" else pair.upstream

    def forward(self, image: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        """Extract the object.

        Parameters
        ----------
        image : Tensor, (H, W, 3), uint8
            RGB values, of any size.
        box : Tensor, (4,), float32
            Half-open (x1, y1, x2, y2) about the object in pixels, in the place of the predicted box; NaN: predict it.

        Returns
        -------
        Tensor, (H, W), float32
            Probability of the object.
        Tensor, (4,), float32
            Half-open (x1, y1, x2, y2) in pixels of the photograph.
        """
        frame, size = squash_bytes(image, FRAME), _size(image)
        given = torch.isfinite(box).all()
        batch = {"image": frame[None]}
        upstream = self.upstream
        predicted = self.bridge.whole(batch) if upstream is None else upstream.reference(upstream(batch))
        told = enlarge(torch.nan_to_num(box) * (FRAME / size), self.bridge.context)
        reference = self.bridge.admit(torch.where(given, told[None], predicted))
        total, weight = self._solve(frame, reference)
        inside = first = _divide(total, weight)
        for count in range(self.relocations):
            reference = torch.where(given, reference, self.bridge.relocate(inside, reference))
            relocated, covered = self._solve(frame, reference, mirrored=self.mirror and count % 2 == 0)
            inside = _divide(relocated, covered)
            total, weight = total + relocated, weight + covered
        mean = torch.where(given, first, _divide(total, weight))
        height, width = image.shape[0], image.shape[1]
        whole = F.interpolate(mean[None], size=(height, width), mode="bilinear", align_corners=False)[0, 0]
        return whole, self._box(whole, reference[0], size)

    def _solve(self, frame: Tensor, box: Tensor, *, mirrored: bool = False) -> tuple[Tensor, Tensor]:
        """Return the probabilities inside a box (1, 4), and which pixels it covers: (1, F, F) each."""
        crop = crop_one(frame, box[0], self.bridge.input_size) / 255
        reference = box[:, None]
        mirror = self.bridge.mirror
        logits = mirror(self.downstream(mirror(crop))) if mirrored else self.downstream(crop)
        restored = self.bridge.restore(logits, reference)[:, 0]
        return restored, self.bridge.covers(reference)[:, 0].to(restored)

    def _box(self, probability: Tensor, reference: Tensor, size: Tensor) -> Tensor:
        """Return the tight box of the mask; where there is none, the reference (4,) without its context."""
        mask = (probability >= 0.5).float()
        ends = [_ends(mask.amax(dim=0), size[0]), _ends(mask.amax(dim=1), size[1])]
        tight = torch.stack([ends[0][0], ends[1][0], ends[0][1], ends[1][1]])
        inner = clip_boxes(enlarge(reference, 1 / self.bridge.context), FRAME) * (size / FRAME)
        return torch.where(probability.flatten().amax(dim=0) >= 0.5, tight, inner)


def _size(image: Tensor) -> Tensor:
    """Return (W, H, W, H), float32."""
    height, width = (torch.scalar_tensor(image.shape[axis], dtype=torch.float32) for axis in (0, 1))
    return torch.stack([width, height, width, height])


def _divide(total: Tensor, weight: Tensor) -> Tensor:
    """Divide by a weight; 0 where there is none."""
    return torch.where(weight > 0, total / weight.clamp(min=1), torch.zeros_like(total))


def _ends(occupied: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first occupied cell of a line and the one after the last, of values 0 and 1."""
    return occupied.argmax().float(), length - occupied.flip(0).argmax().float()
