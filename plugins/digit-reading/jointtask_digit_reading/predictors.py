"""What a trained pair has to beat: mean digits, turned every way, and an answer that ignores the image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from jointtask.api import ConfigError, Context, NoSettings
from jointtask_digit_reading.reading import Reading
from jointtask_digit_reading.scene import Scene, crop

__all__ = ["commonest_digit", "mean_digits"]

_STEP = 10
"""Degrees between two angles that are tried."""


def mean_digits(settings: NoSettings, context: Context) -> Callable[[Scene], Reading]:
    """Build `mean-digits`: the mean training digit and the angle that correlate best with the middle of the frame.

    Raises
    ------
    ConfigError
        If there is no training data to learn from.
    """
    batch = _annotated(context, "mean-digits")
    upright = _normalised(crop(batch["image"].float(), batch["angle"].float())[:, 0])
    means = _normalised(torch.stack([upright[batch["digit"] == digit].sum(dim=0) for digit in range(10)]))
    angle = torch.arange(-180, 180, _STEP, dtype=torch.float32)

    def predict(example: Scene) -> Reading:
        seen = _normalised(crop(torch.from_numpy(example.image)[None].float(), angle[None])[0])
        likeness = seen.flatten(1) @ means.flatten(1).T
        best = int(likeness.max(dim=1).values.argmax())
        probability = torch.softmax(10 * likeness[best], dim=0)
        return Reading(probability.numpy().astype(np.float32), float(angle[best]))

    return predict


def commonest_digit(settings: NoSettings, context: Context) -> Callable[[Scene], Reading]:
    """Build `commonest-digit`: the share of each training digit, and the mean direction of the annotated angles.

    It learns from training data and raises `ConfigError` without, as `mean_digits` does.
    """
    batch = _annotated(context, "commonest-digit")
    share = torch.bincount(batch["digit"], minlength=10).float() / len(batch["digit"])
    turn = torch.deg2rad(batch["angle"].double())
    angle = float(torch.rad2deg(torch.atan2(turn.sin().sum(), turn.cos().sum())))
    reading = Reading(share.numpy(), angle)
    return lambda example: reading


def _annotated(context: Context, name: str) -> dict[str, torch.Tensor]:
    """Return the training data, all in one batch."""
    if context.train is None:
        raise ConfigError(
            f"{name}: no training data",
            cause="this predictor learns from annotated digits",
            remedy="name it in evaluate.predictors of a run file, which has training data",
        )
    return context.train.batch(range(len(context.train)))


def _normalised(image: torch.Tensor) -> torch.Tensor:
    """Return images (M, S, S) with mean 0 and length 1, what is outside the inscribed circle left out."""
    centred = torch.arange(image.shape[-1], dtype=image.dtype) - (image.shape[-1] - 1) / 2
    inside = (centred[:, None] ** 2 + centred**2 <= (image.shape[-1] / 2) ** 2).to(image)
    deviation = (image - (image * inside).sum(dim=(1, 2), keepdim=True) / inside.sum()) * inside
    length: torch.Tensor = torch.linalg.vector_norm(deviation, dim=(1, 2), keepdim=True)
    return deviation / length.clamp(min=1e-6)
