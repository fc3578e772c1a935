"""What was cut out of one photograph."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from jointtask.tools import write_atomic
from jointtask_object_extraction.extract.alpha import make_alpha
from jointtask_object_extraction.extract.colours import foreground_colours
from jointtask_object_extraction.extract.style import Style, compose, encode_picture
from jointtask_object_extraction.metrics.measures import mask_box
from jointtask_object_extraction.photograph import FRAME, Photograph

__all__ = ["Cutout", "expected_iou", "squash_map"]


def _read_only(array: NDArray[np.float32]) -> NDArray[np.float32]:
    array.flags.writeable = False
    return array


@define(eq=False, slots=False)
class Cutout:
    """What was cut out of a photograph; arrays are at the photograph's size, and computed when they are asked for.

    Attributes
    ----------
    photograph : Photograph
        The photograph, with its own transparency.
    probability : ndarray, (H, W), float32
        Probability of the object as predicted, in [0, 1].
    score : float
        Expected intersection over union of the mask and the true one, in [0, 1]: see `expected_iou`.
    note : str
        Reason why nothing was cut out; empty as a rule.
    posterior : ndarray, (H, W), float32, or None
        Mean of the probability under boxes drawn from their posterior; None if none were drawn.
    room : ndarray, (H, W), float32, or None
        Greatest opacity that other objects of the photograph leave to this one, in [0, 1]; None if there are no others.
    """

    photograph: Photograph
    probability: NDArray[np.float32] = field(converter=_read_only)
    score: float
    note: str = ""
    posterior: NDArray[np.float32] | None = None
    room: NDArray[np.float32] | None = None

    @cached_property
    def alpha(self) -> NDArray[np.float32]:
        """Opacity of the object, (H, W), in [0, 1]: edges at the photograph's resolution, without haze."""
        alpha = make_alpha(self.photograph.image, self.probability)
        if self.room is not None:
            alpha = np.minimum(alpha, self.room)
        opacity = self.photograph.alpha
        return alpha if opacity is None else alpha * (opacity.astype(np.float32) / np.float32(255))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The object's pixels, (H, W): those that are at least half opaque."""
        return self.alpha >= 0.5

    @cached_property
    def box(self) -> tuple[int, int, int, int] | None:
        """The tight half-open box (x1, y1, x2, y2) of the mask, in pixels; None where the mask is empty."""
        box = mask_box(self.mask)
        return None if box is None else (int(box[0]), int(box[1]), int(box[2]), int(box[3]))

    @property
    def uncertainty(self) -> NDArray[np.float32]:
        """How unsure each pixel is, (H, W), in [0, 1]: ``1 - |2 p - 1|``, 1 where object and ground are as likely.

        p is the posterior where boxes were drawn, and the predicted probability otherwise.
        """
        probability = self.probability if self.posterior is None else self.posterior
        return np.asarray(1 - np.abs(2 * probability - 1), dtype=np.float32)

    @cached_property
    def cutout(self) -> NDArray[np.uint8]:
        """The object on nothing, (H, W, 4), RGBA, with its own colours; all zero where it is fully transparent."""
        alpha = np.rint(255 * self.alpha).astype(np.uint8)
        cutout = np.dstack([foreground_colours(self.photograph.image, self.alpha), alpha])
        cutout[alpha == 0] = 0
        return cutout

    def save(self, path: str | os.PathLike[str], style: Style | None = None) -> None:
        """Write the cut-out, whole or not at all; the name's ending says the format: .png, .webp or .jpg.

        Parameters
        ----------
        path : path
            File to write.
        style : Style, optional
            Background, crop and size.

        Raises
        ------
        ConfigError
            If the ending is none of these, or a JPEG has no background.
        DataError
            If the format cannot hold a picture of this size.
        """
        suffix = Path(path).suffix.lower()
        style = Style() if style is None else style
        write_atomic(path, encode_picture(style.require(suffix), compose(self, style)))


def squash_map(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reduce a probability map to at most the size of the frame: (h, w), h and w at most 224."""
    height, width = probability.shape
    size = min(width, FRAME), min(height, FRAME)
    return np.asarray(cv2.resize(probability, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def expected_iou(mask: NDArray[np.bool_], probability: NDArray[np.float32]) -> float:
    """Return the expected intersection over union of a mask and the object.

    Parameters
    ----------
    mask : ndarray, (H, W), bool
        Mask that is judged.
    probability : ndarray, (H, W) or (K, H, W), float32
        Probability of the object, pixels taken as independent; or K of them, whose mean is taken.

    Returns
    -------
    float
        ``E[|M and Y|] / E[|M or Y|]``, of which the expectation differs little for many pixels; 0 for an empty mask.
    """
    if not mask.any():
        return 0.0
    maps = probability.reshape(-1, mask.size).astype(np.float64)
    inside = maps[:, mask.ravel()].sum(axis=1)
    union = mask.sum() + maps.sum(axis=1) - inside
    return float((inside / union).mean())
