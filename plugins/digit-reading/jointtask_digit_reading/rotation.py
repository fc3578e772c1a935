"""The bridge of digit reading: an angle, adjusted on its ring; what lies in the middle of the frame, turned upright."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor

from jointtask.api import Augmented, Batch, Condition, Context, LatentGrid, Streams
from jointtask_digit_reading.angle import CIRCLE, wrap
from jointtask_digit_reading.reading import Reading
from jointtask_digit_reading.scene import Scene, crop
from jointtask_digit_reading.settings import AngleAdjustment

__all__ = ["AngleBridge", "angle_adjustment"]


def angle_adjustment(settings: AngleAdjustment, context: Context) -> AngleBridge:
    """Build the bridge for the crops that the downstream task declares."""
    return AngleBridge(
        grid=LatentGrid.product([settings.levels], period=[CIRCLE]),
        input_size=context.downstream.input_size,
        annotation_scale=settings.annotation_scale if settings.center == "prediction" else None,
        turn=settings.turn,
        jitter=settings.jitter,
    )


@frozen(eq=False)
class AngleBridge:
    """References are angles in degrees from -180 to 180, on a ring; any angle is usable.

    A batch has an `image`, (B, F, F) in [0, 255], uint8 or floating, and, where it is annotated, a `digit`, (B,) int64,
    and an `angle`, (B, 1) in degrees.

    Attributes
    ----------
    grid : LatentGrid
        The adjustments, in degrees.
    input_size : int
        Side of the downstream task's square input, in pixels.
    annotation_scale : float or None
        Standard deviation of an annotated angle about the reference, in degrees, where the E-step adjusts the
        predicted angle; None where it adjusts the annotated one.
    turn : bool
        Whether `augment` turns frames by quarters, which loses nothing.
    jitter : float
        Standard deviation of the turn that `augment` gives what the downstream task sees, in degrees.
    """

    grid: LatentGrid
    input_size: int
    annotation_scale: float | None = None
    turn: bool = False
    jitter: float = 0.0
    coordinates: tuple[str, ...] = field(default=("angle",), init=False)
    units: str = field(default="degrees", init=False)
    keys: tuple[str, ...] = field(default=("image", "digit", "angle"), init=False)
    annotation: tuple[str, ...] = field(default=("digit", "angle"), init=False)

    def base(self, batch: Batch) -> Tensor:
        """Return the annotated angles, (B, 1), float32."""
        return wrap(batch["angle"].float())

    def reference(self, centre: Tensor, state: Tensor) -> Tensor:
        """Turn centres (B, 1) by states (K, 1) or (B, K, 1): angles (B, K, 1)."""
        return wrap(centre[:, None] + state.to(centre))

    def usable(self, reference: Tensor) -> Tensor:
        """Say that any angle is usable: (...,), bool."""
        return torch.ones(reference.shape[:-1], dtype=torch.bool, device=reference.device)

    def admit(self, reference: Tensor) -> Tensor:
        """Write angles (..., 1) from -180 to 180."""
        return wrap(reference)

    def condition(self, batch: Batch, reference: Tensor) -> Condition:
        """Turn frames back by references (B, K, 1), and cut out their middle.

        The input is (B * K, S, S), float32 in [0, 1]; the target is the digit, (B * K,), None without an annotation.
        """
        seen = crop(batch["image"].float() / 255, reference[..., 0], self.input_size).flatten(0, 1)
        if "digit" not in batch:
            return Condition(seen, None)
        return Condition(seen, batch["digit"].repeat_interleave(reference.shape[1]))

    def restore(self, prediction: Tensor, reference: Tensor) -> Tensor:
        """Return the probability of each digit, (B, K, 10): what a digit is does not change when it is turned back."""
        return prediction.float().softmax(dim=-1).reshape(*reference.shape[:2], -1)

    def frames(self, examples: Sequence[Scene]) -> dict[str, Tensor]:
        """Return the images of scenes, (B, 40, 40), uint8."""
        return {"image": torch.from_numpy(np.stack([example.image for example in examples]))}

    def finish(self, frame: Tensor, reference: Tensor, example: Scene) -> Reading:
        """Return the reading of one scene from its probabilities (10,) and its angle (1,)."""
        return Reading(frame.numpy(force=True), float(wrap(reference)[0]))

    def augment(self, batch: Batch, reference: Tensor, random: Streams) -> Augmented:
        """Turn frames by quarters at random, and jitter the angle that the downstream task sees.

        Each row draws one uniform number and K normal ones, whatever the settings.
        """
        quarter = (4 * random.uniform(1)[:, 0]).long().to(reference.device)
        away = random.normal(reference.shape[1]).to(reference)[..., None]
        changed = dict(batch)
        if self.turn:
            image = batch["image"]
            turned = torch.stack([torch.rot90(image, k, (1, 2)) for k in range(4)], dim=1)
            changed["image"] = turned[torch.arange(len(image), device=image.device), quarter]
            reference = wrap(reference + 90.0 * quarter[:, None, None])
            if "angle" in batch:
                changed["angle"] = wrap(batch["angle"] + 90.0 * quarter[:, None])
        return Augmented(changed, reference, wrap(reference + self.jitter * away))
