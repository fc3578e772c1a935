"""What a trained pair has to beat: mean digits, turned every way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from jointtask.api import ConfigError, Context, NoSettings
from jointtask_digit_reading.reading import Reading
from jointtask_digit_reading.scene import Scene, crop

__all__ = ["mean_digits"]

_STEP = 10
"""Degrees between two angles that are tried."""


def mean_digits(settings: NoSettings, context: Context) -> Callable[[Scene], Reading]:
    """Build `mean-digits`: the mean training digit and the angle that correlate best with the middle of the frame.

    Raises
    ------
    ConfigError
        If there is no training data to learn from.
    """
    if context.train is None:
        raise ConfigError(
            "mean-digits: no training data",
            cause="this predictor is the mean of the training digits, turned upright as annotated",
            remedy="name it in evaluate.predictors of a run file, which has training data",
        )
    batch = context.train.batch(range(len(context.train)))
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


def _normalised(image: torch.Tensor) -> torch.Tensor:
    """Return images (M, S, S) with mean 0 and length 1, what is outside the inscribed circle left out."""
    centred = torch.arange(image.shape[-1], dtype=image.dtype) - (image.shape[-1] - 1) / 2
    inside = (centred[:, None] ** 2 + centred**2 <= (image.shape[-1] / 2) ** 2).to(image)
    deviation = (image - (image * inside).sum(dim=(1, 2), keepdim=True) / inside.sum()) * inside
    length: torch.Tensor = torch.linalg.vector_norm(deviation, dim=(1, 2), keepdim=True)
    return deviation / length.clamp(min=1e-6)
