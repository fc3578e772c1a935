"""The bridge of object extraction: boxes adjusted, cropped out of the frame and pasted back into it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor

from jointtask.api import Augmented, Batch, Condition, ConfigError, Context, LatentGrid, Streams
from jointtask_object_extraction.bridge.augment import Augmentation
from jointtask_object_extraction.bridge.crop import clip_boxes, coverage, covers_pixels, crop, enlarge, paste
from jointtask_object_extraction.bridge.likelihood import MaskTarget
from jointtask_object_extraction.data.decode import squash
from jointtask_object_extraction.data.perturbed_boxes import mask_boxes
from jointtask_object_extraction.metrics.measures import mask_box
from jointtask_object_extraction.photograph import FRAME, MINIMUM_SIDE, Extraction, Photograph
from jointtask_object_extraction.settings import BoxAdjustment

__all__ = ["BoxBridge", "box_adjustment"]

_OUTSIDE = 1e-3
"""Probability of the object outside the reference, in the frame likelihood."""

HAS_MASK = "has_mask"
"""Name of the tensor, (B,) bool, that a batch has where some examples are annotated by a box alone."""

_EQUALLY = "equally"
"""Key of a batch of the M-step in which each example has the same weight, whatever the area of its reference."""

_ROUNDING = 1e-3
"""Bound of the rounding error of float32 in a side, in frame units."""


def box_adjustment(settings: BoxAdjustment, context: Context) -> BoxBridge:
    """Build the bridge for the input and output size that the downstream task declares."""
    return BoxBridge(
        grid=box_grid(settings.levels, settings.scales),
        input_size=context.downstream.input_size,
        output_size=context.downstream.output_size,
        likelihood=settings.likelihood,
        weigh=settings.weigh,
        context=settings.context,
        annotation_scale=settings.annotation_scale if settings.center == "prediction" else None,
        augmentation=Augmentation(
            settings.flip, settings.colour, (settings.zoom[0], settings.zoom[1]), settings.jitter
        ),
        by_scale=bool(settings.scales),
        boxes=settings.boxes,
    )


def box_grid(levels: Sequence[float], scales: Sequence[float]) -> LatentGrid:
    """Make the grid of the four sides' displacements, or of the centre's and of the log-factors on width and height.

    Raises
    ------
    ConfigError
        If the levels have no 0, the scales no 1, or either names a value twice.
    """
    if not scales:
        return LatentGrid.product([levels] * 4)
    if 1 not in scales:
        raise ConfigError(
            f"bridge.scales has no 1: {list(scales)}",
            cause="the chain starts at the zero adjustment, and the sampler 'none' stays there",
            remedy="add 1 to the scales",
        )
    factors = [math.log(scale) for scale in scales]
    return LatentGrid.product([levels, levels, factors, factors])


@frozen(eq=False)
class BoxBridge:
    """References are half-open boxes (x1, y1, x2, y2) in frame units; pixel i of the frame covers ``[i, i + 1)``.

    A reference may leave the frame: crops and masks use the part inside, the upstream energy all of it. A batch has
    an `image`, (B, 3, F, F) RGB in [0, 255], uint8 or floating, and, where it is annotated, a `mask`, (B, F, F) uint8,
    1 on the object.

    Attributes
    ----------
    grid : LatentGrid
        The adjustments of the four sides, in frame units.
    input_size, output_size : int
        Sides of the downstream task's square input and output, S and O.
    likelihood : "reference" or "frame"
        Whether the downstream energy counts the outputs inside the reference (Eq. 3), or every pixel of the frame.
    weigh : "area" or "equally"
        Whether the M-step weighs an example by the area of its reference, as the frame likelihood does, or all alike:
        under a fixed reference the rest of that likelihood is a constant.
    context : float
        Factor on the sides of the annotated box, at least 1.
    annotation_scale : float or None
        Standard deviation of an annotated side about the reference's, in frame units, where the E-step adjusts the
        predicted box; None where it adjusts the annotated one.
    augmentation : Augmentation
        Random changes that `augment` makes.
    by_scale : bool
        Whether an adjustment is (x, y, log width, log height): the centre's displacement in frame units, and the
        logarithms of factors on width and height. False: the four sides' displacements.
    boxes : "mask" or "given"
        Source of the annotated box: the mask, or a `box` of the batch's own, (B, 4), half-open, in frame units.
    """

    grid: LatentGrid
    input_size: int
    output_size: int
    likelihood: Literal["reference", "frame"] = "reference"
    weigh: Literal["area", "equally"] = "area"
    context: float = 1.0
    annotation_scale: float | None = None
    augmentation: Augmentation = field(factory=Augmentation)
    by_scale: bool = False
    boxes: Literal["mask", "given"] = "mask"

    @property
    def present(self) -> tuple[str, str]:
        """Name of what says which examples of a batch have a mask: every example has a box."""
        return "", HAS_MASK

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of what a training batch must have."""
        return ("image", *self.annotation)

    @property
    def annotation(self) -> tuple[str, ...]:
        """Names of what prediction never sees."""
        return ("mask", "box") if self.boxes == "given" else ("mask",)

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of an adjustment's coordinates."""
        return ("x", "y", "log width", "log height") if self.by_scale else ("x1", "y1", "x2", "y2")

    @property
    def units(self) -> str:
        """Their units."""
        return "frame units, and logarithms of factors" if self.by_scale else "frame units"

    def base(self, batch: Batch) -> Tensor:
        """Return the annotated boxes, (B, 4), float32, with their context: the masks' tight ones, or those given.

        The box is enlarged about its centre, then clipped to the frame; a side under 8 units is widened about its
        centre and shifted into the frame. An empty mask gives the whole frame.
        """
        if self.boxes == "given":
            return self._with_context(batch["box"])
        if HAS_MASK in batch and "box" in batch:
            box = torch.where(batch[HAS_MASK][:, None], mask_boxes(batch["mask"]), batch["box"])
            return self._with_context(box)
        return self._around(batch["mask"])

    def relocate(self, frame: Tensor, reference: Tensor) -> Tensor:
        """Return the boxes of predicted masks, (B, 4), with their context; where nothing is predicted, the old ones.

        Parameters
        ----------
        frame : Tensor, (B, F, F)
            Probability of the object at each pixel of the frame.
        reference : Tensor, (B, 4)
            The boxes that they were predicted through.
        """
        mask = (frame >= 0.5).to(torch.uint8)
        return torch.where(mask.flatten(1).amax(dim=1)[:, None] > 0, self._around(mask), reference)

    def whole(self, batch: Batch) -> Tensor:
        """Return the frame as a box of each example: (B, 4), float32."""
        image = batch["image"]
        return torch.tensor([0.0, 0.0, FRAME, FRAME], device=image.device).repeat(len(image), 1)

    def mirror(self, maps: Tensor) -> Tensor:
        """Mirror crops (M, 3, S, S) or logits (M, O, O) left to right."""
        return maps.flip(-1)

    def _around(self, mask: Tensor) -> Tensor:
        """Return the tight boxes of masks (B, F, F), uint8, with their context: (B, 4), float32."""
        return self._with_context(mask_boxes(mask))

    def _with_context(self, box: Tensor) -> Tensor:
        """Enlarge boxes (B, 4) about their centres, clip them to the frame, and widen what is under 8 units."""
        first, last = box[:, :2], box[:, 2:]
        margin = (last - first) * ((self.context - 1) / 2)
        low, high = (first - margin).clamp(min=0), (last + margin).clamp(max=FRAME)
        size = (high - low).clamp(min=MINIMUM_SIDE)
        low = torch.minimum(((low + high - size) / 2).clamp(min=0), FRAME - size)
        return torch.cat([low, low + size], dim=1)

    def reference(self, centre: Tensor, state: Tensor) -> Tensor:
        """Adjust centres (B, 4) by states (K, 4) or (B, K, 4): boxes (B, K, 4)."""
        state = state.to(centre)
        if not self.by_scale:
            return centre[:, None] + state
        low, high = centre[:, None, :2], centre[:, None, 2:]
        middle, half = (low + high) / 2 + state[..., :2], (high - low) / 2 * torch.exp(state[..., 2:])
        return torch.cat([middle - half, middle + half], dim=-1)

    def usable(self, reference: Tensor) -> Tensor:
        """Say of boxes (..., 4) whether the part in the frame is at least 8 units wide and high: (...,), bool."""
        x1, y1, x2, y2 = clip_boxes(reference, FRAME).unbind(-1)
        return torch.minimum(x2 - x1, y2 - y1) >= MINIMUM_SIDE - _ROUNDING

    def admit(self, reference: Tensor) -> Tensor:
        """Return the usable boxes nearest to any four numbers (..., 4).

        Swapped sides are put in order, a side under 8 units is widened about its centre, and a box with under 8 units
        in the frame is extended into it. Usable boxes come back as they are.
        """
        a, b = reference[..., :2], reference[..., 2:]
        low, high = torch.minimum(a, b), torch.maximum(a, b)
        missing = (MINIMUM_SIDE - (high - low)).clamp(min=0) / 2
        low, high = (low - missing).clamp(max=FRAME - MINIMUM_SIDE), (high + missing).clamp(min=MINIMUM_SIDE)
        return torch.cat([low, high], dim=-1)

    def condition(self, batch: Batch, reference: Tensor) -> Condition:
        """Crop images and masks inside references (B, K, 4).

        The input is (B * K, 3, S, S) float32 RGB in [0, 1]; the target, a `MaskTarget`, is the mask resized to O x O
        and thresholded at 0.5, None without a mask.
        """
        image = crop(batch["image"], reference, self.input_size).div_(255)
        if "mask" not in batch:
            return Condition(image, None)
        mask = crop(batch["mask"][:, None], reference, self.output_size)[:, 0] >= 0.5
        scale, offset = self._scale(batch["mask"], reference, equally=_EQUALLY in batch)
        return Condition(image, MaskTarget(mask.float(), scale.reshape(-1), offset.reshape(-1)))

    def _scale(self, mask: Tensor, reference: Tensor, *, equally: bool) -> tuple[Tensor, Tensor]:
        """Return the scale and the offset, (B, K), of the summed cross entropy.

        The frame likelihood is (O^2 / F^2) [A(R in frame) / O^2 sum_j BCE_j + A(object outside R) (-log eps) +
        A(ground outside R) (-log(1 - eps))], with areas A in squared frame units: the paper's 2,500 is O^2.
        """
        if self.likelihood == "reference" or equally:
            return torch.ones_like(reference[..., 0]), torch.zeros_like(reference[..., 0])
        x1, y1, x2, y2 = clip_boxes(reference, FRAME).unbind(-1)
        area = (x2 - x1) * (y2 - y1)
        rows = torch.bmm(coverage(y1, y2, FRAME), mask.float())
        inside = (rows * coverage(x1, x2, FRAME)).sum(dim=-1)
        whole = mask.sum(dim=(1, 2), dtype=torch.float32)[:, None]
        object_outside = (whole - inside).clamp(min=0)
        ground_outside = (FRAME**2 - area - object_outside).clamp(min=0)
        offset = object_outside * -math.log(_OUTSIDE) + ground_outside * -math.log1p(-_OUTSIDE)
        return area / FRAME**2, offset * (self.output_size / FRAME) ** 2

    def restore(self, prediction: Tensor, reference: Tensor) -> Tensor:
        """Paste logits (B * K, O, O) into their boxes (B, K, 4): probabilities (B, K, F, F), 0 outside the box."""
        return paste(prediction.float().sigmoid(), reference, FRAME).clamp_(0, 1)

    def covers(self, reference: Tensor) -> Tensor:
        """Say which pixels of the frame have their centre in boxes (B, K, 4): (B, K, F, F), bool."""
        return covers_pixels(reference, FRAME)

    def frames(self, examples: Sequence[Photograph]) -> dict[str, Tensor]:
        """Squash photographs to frames, (B, 3, F, F), uint8."""
        frames = np.stack([squash(example.image) for example in examples])
        return {"image": torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous()}

    def finish(self, frame: Tensor, reference: Tensor, example: Photograph) -> Extraction:
        """Stretch a frame's probabilities (F, F) to the photograph.

        The box is the tight box of the mask; where there is no mask, the reference (4,) without its context, about
        its centre, cut off at the edge of the photograph.
        """
        height, width = example.image.shape[:2]
        probability: Any = cv2.resize(
            frame.numpy(force=True).astype(np.float32, copy=False), (width, height), interpolation=cv2.INTER_LINEAR
        )
        box = mask_box(probability >= 0.5)
        if box is None:
            inner = clip_boxes(enlarge(reference.float(), 1 / self.context), FRAME).numpy(force=True)
            box = inner * (np.array([width, height, width, height], dtype=np.float32) / np.float32(FRAME))
        return Extraction(probability, box.astype(np.float32, copy=False))

    def augment(self, batch: Batch, reference: Tensor, random: Streams) -> Augmented:
        """Mirror the examples and change their colours at random; zoom and jitter what the downstream task sees."""
        if self.weigh == "equally":
            batch = {**batch, _EQUALLY: torch.ones(len(reference), device=reference.device)}
        return self.augmentation(batch, reference, random, admit=self.admit)
