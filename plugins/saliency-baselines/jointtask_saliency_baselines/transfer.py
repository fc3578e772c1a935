"""Window masks carried over from the training images that look alike (Kuettel and Ferrari, CVPR 2012)."""

from __future__ import annotations

import cv2
import numpy as np
from attrs import frozen
from jointtask_object_extraction.data.decode import squash
from jointtask_object_extraction.photograph import FRAME, Extraction, Photograph
from numpy.typing import NDArray

from jointtask.api import Context, NoSettings
from jointtask_saliency_baselines.descriptors import gradients
from jointtask_saliency_baselines.location_cut import location_cut
from jointtask_saliency_baselines.window_library import Library
from jointtask_saliency_baselines.windows import windows

__all__ = ["Transfer", "fgseg_lite", "soft_mask"]

_LEVEL = 0.4
"""Of the soft mask, where the cut begins: it fits best on 24 of the DUTS-TR images that are kept for validation."""


def fgseg_lite(settings: NoSettings, context: Context) -> Transfer:
    """Build `fgseg-lite`: masks of the training windows that look alike, then GrabCut with this prior of location.

    The published method takes objectness windows; these are boxes around the regions of a segmentation. Its
    descriptors and the way in which its windows are aggregated are stand-ins as well. It learns from 2,000 training
    images at most, evenly spaced.

    Raises
    ------
    ConfigError
        If there is no training data to learn from.
    """
    return Transfer(Library.of(context))


@frozen(eq=False)
class Transfer:
    """A predictor: the soft mask of an image, then its cut."""

    library: Library

    def __call__(self, example: Photograph) -> Extraction:
        """Extract the object from a photograph."""
        frame = squash(example.image)
        boxes = windows(frame)
        nearest = self.library.nearest(self.library.basis.project(gradients(frame, boxes)))
        prior = soft_mask(boxes, self.library.masks(nearest))
        return Extraction(location_cut(example.image, prior, _LEVEL), None)


def soft_mask(boxes: NDArray[np.int32], masks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the masks of the windows that cover a pixel.

    Parameters
    ----------
    boxes : ndarray, (N, 4), int32
        Boxes inside the frame, half-open (x1, y1, x2, y2).
    masks : ndarray, (N, S, S), float32
        Mask of each window, in the window's own frame, in [0, 1].

    Returns
    -------
    ndarray, (F, F), float32
        In [0, 1]; 0 where no window is.
    """
    total = np.zeros((FRAME, FRAME), np.float32)
    cover = np.zeros((FRAME, FRAME), np.float32)
    for (x1, y1, x2, y2), mask in zip(boxes.tolist(), masks, strict=True):
        total[y1:y2, x1:x2] += cv2.resize(mask, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)
        cover[y1:y2, x1:x2] += 1
    return np.asarray(total / np.maximum(cover, 1))
