"""Predictors to be measured against: Otsu's threshold, colour contrast, and a mask that ignores the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jointtask.api import Bar, ConfigError, Context, Dataset, NoSettings
from jointtask_object_extraction.bridge.box import HAS_MASK
from jointtask_object_extraction.photograph import Extraction, Photograph

__all__ = ["Predictor", "colour_contrast", "mean_mask", "otsu", "training_data"]

Predictor = Callable[[Photograph], Extraction]

_BATCH = 64
_LEVELS = 32

_LEAST_CONTRAST = 1.0
"""Smallest contrast that counts, in CIE Lab units: about the least that can be seen."""


def otsu(settings: NoSettings, context: Context) -> Predictor:
    """Build `otsu`: Otsu's threshold of the grey image; the side that touches the border less is the object.

    N. Otsu, "A threshold selection method from gray-level histograms", 1979.
    """

    def predict(example: Photograph) -> Extraction:
        grey = np.asarray(cv2.cvtColor(example.image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        bright = grey > _otsu_threshold(grey)
        border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
        mask = bright if border.mean() <= 0.5 else ~bright
        return Extraction(mask.astype(np.float32), None)

    return predict


def colour_contrast(settings: NoSettings, context: Context) -> Predictor:
    """Build `colour-contrast`: the distance in CIE Lab to the image's mean colour, thresholded by Otsu.

    R. Achanta et al., "Frequency-tuned salient region detection", CVPR 2009.
    """

    def predict(example: Photograph) -> Extraction:
        lab = np.asarray(cv2.cvtColor(example.image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))
        distance = np.linalg.norm(cv2.GaussianBlur(lab, (0, 0), 1.0) - lab.mean(axis=(0, 1)), axis=2)
        unit = max(float(distance.max()), _LEAST_CONTRAST) / 255
        level = _otsu_threshold(np.asarray(distance / unit, dtype=np.uint8)) + 1
        return Extraction(_probability(distance, level * unit), None)

    return predict


def mean_mask(settings: NoSettings, context: Context) -> Predictor:
    """Build `mean-mask`: the mean training mask at the level that scores best in training; it ignores the image.

    Raises
    ------
    ConfigError
        If there is no training data to learn from.
    """
    train = training_data(context, "mean-mask")
    with context.progress.phase("mean mask", 2 * len(train)) as bar:
        total = sum((masks.sum(dim=0) for masks in _masks(train, bar)), start=torch.zeros((), dtype=torch.int64))
        mean = total.double() / len(train)
        level = _best_level(mean, train, bar)
    probability = _probability(mean.numpy(), level)

    def predict(example: Photograph) -> Extraction:
        height, width = example.image.shape[:2]
        resized = cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)
        return Extraction(np.asarray(resized, dtype=np.float32), None)

    return predict


def training_data(context: Context, name: str) -> Dataset:
    """Return the training data that a predictor learns from.

    Parameters
    ----------
    context : Context
        Context that the predictor is built with.
    name : str
        Name of the predictor, for the error message.

    Raises
    ------
    ConfigError
        If there is no training data to learn from, or it has no masks.
    """
    train = context.train
    if train is None or not _has_masks(train):
        raise ConfigError(
            f"{name}: no training data" + (" with masks" if train else ""),
            cause="this predictor learns from annotated images",
            remedy="give `jointtask evaluate` some as --set data.train.name=..., or name it in a run file's"
            " evaluate.predictors",
        )
    return train


def _otsu_threshold(grey: NDArray[np.uint8]) -> float:
    """Return the level, of 256, above which pixels belong to the brighter class."""
    return float(cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0])


def _has_masks(train: Dataset) -> bool:
    if not len(train) or train.example(0).mask is not None:
        return bool(len(train))
    starts = range(0, len(train), _BATCH)
    batches = (train.batch(range(start, min(start + _BATCH, len(train)))) for start in starts)
    return any(HAS_MASK in batch and bool(batch[HAS_MASK].any()) for batch in batches)


def _masks(train: Dataset, bar: Bar) -> Iterator[Tensor]:
    """Yield the training masks in batches, (B, H, W), uint8."""
    for start in range(0, len(train), _BATCH):
        index = range(start, min(start + _BATCH, len(train)))
        batch = train.batch(index)
        # a mask that is not there is 0: it is left out
        yield batch["mask"][batch[HAS_MASK]] if HAS_MASK in batch else batch["mask"]
        bar.advance(len(index))


def _best_level(mean: Tensor, train: Dataset, bar: Bar) -> float:
    """Return the level of the mean mask, (H, W), whose region has the greatest mean J over the training masks."""
    levels = torch.linspace(0, 1, _LEVELS + 1, dtype=mean.dtype)[1:] * mean.max()
    regions = (mean.flatten() >= levels[:, None]).float()
    score = torch.zeros(len(levels), dtype=torch.float64)
    for mask in _masks(train, bar):
        masks = mask.flatten(1).float()
        intersection = regions @ masks.T
        union = regions.sum(dim=1, keepdim=True) + masks.sum(dim=1) - intersection
        score += (intersection / union).sum(dim=1, dtype=torch.float64)
    return float(levels[score.argmax()])


def _probability(strength: NDArray[np.floating], level: float) -> NDArray[np.float32]:
    """Map a strength to [0, 1], keeping its order: the (positive) level becomes 0.5, no strength 0."""
    return np.asarray(strength / (strength + level), dtype=np.float32)
