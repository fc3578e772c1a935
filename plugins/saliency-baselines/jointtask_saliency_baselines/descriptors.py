"""What a window looks like, and what its mask is, small enough to keep of a hundred windows of every image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["LENGTH", "MASK_SIDE", "Basis", "fit_basis", "gradients", "window_masks"]

LENGTH = 128
"""Of a descriptor, after projection."""

MASK_SIDE = 16
"""Of the mask of a window, in its own frame."""

_SIDE, _BLOCK, _CELL, _ORIENTATIONS = 64, 16, 8, 9


def gradients(frame: NDArray[np.uint8], boxes: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Return the histograms of oriented gradients of windows (Dalal and Triggs, CVPR 2005).

    A window is grey and resized to 64 x 64 pixels: cells of 8 x 8, blocks of 2 x 2 cells, 9 orientations.

    Parameters
    ----------
    frame : ndarray, (F, F, 3), uint8 RGB
    boxes : ndarray, (N, 4), int
        Boxes inside the frame, half-open (x1, y1, x2, y2).

    Returns
    -------
    ndarray, (N, 1764), float32
    """
    block, cell = (_BLOCK, _BLOCK), (_CELL, _CELL)
    histograms = cv2.HOGDescriptor((_SIDE, _SIDE), block, cell, cell, _ORIENTATIONS)
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    patches = [
        cv2.resize(grey[y1:y2, x1:x2], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        for x1, y1, x2, y2 in boxes.tolist()
    ]
    return np.stack([np.asarray(histograms.compute(patch), np.float32).ravel() for patch in patches])


def window_masks(mask: NDArray[np.uint8], boxes: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Return the share of the object in each of 16 x 16 parts of windows.

    Parameters
    ----------
    mask : ndarray, (F, F), uint8
        1 on the object.
    boxes : ndarray, (N, 4), int
        Boxes inside the frame, half-open (x1, y1, x2, y2).

    Returns
    -------
    ndarray, (N, 16, 16), uint8
        Shares of the object, 255 for 1.
    """
    scaled = mask * np.uint8(255)
    size = (MASK_SIDE, MASK_SIDE)
    return np.stack(
        [
            np.asarray(cv2.resize(scaled[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA), np.uint8)
            for x1, y1, x2, y2 in boxes.tolist()
        ]
    )


@frozen(eq=False)
class Basis:
    """Principal components of histograms of gradients.

    Attributes
    ----------
    mean : ndarray, (1764,), float32
    components : ndarray, (1764, 128), float32
        Orthonormal, or zero where the data they were fitted to have fewer dimensions.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]

    def project(self, histograms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project histograms (N, 1764) to descriptors (N, 128)."""
        return np.asarray((histograms - self.mean) @ self.components, np.float32)


def fit_basis(histograms: NDArray[np.floating[Any]]) -> Basis:
    """Fit the basis in which histograms (N, 1764) vary most."""
    values = histograms.astype(np.float32)
    mean = values.mean(axis=0)
    values -= mean
    variances, axes = np.linalg.eigh((values.T @ values / len(values)).astype(np.float64))
    components = np.where(variances > variances[-1] * 1e-6, axes, 0)[:, : -LENGTH - 1 : -1]
    return Basis(mean, components.astype(np.float32))
