"""The embedded data set: generated scenes, with nothing to download."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jointtask.component import Context
from jointtask_object_extraction.photograph import FRAME, Photograph
from jointtask_object_extraction.scene import load_materials, make_scene
from jointtask_object_extraction.settings import SyntheticObjects

__all__ = ["SyntheticDataset", "synthetic_objects"]

_KEPT = 2048
"""Frames kept in memory (200 KB each); the others are made again each time."""


class SyntheticDataset:
    """Generated scenes as a `jointtask.data.Dataset`: keys `image` (B, 3, 224, 224) and `mask` (B, 224, 224), uint8.

    An example depends on (seed, split, position) alone, not on how many there are.

    Parameters
    ----------
    settings : SyntheticObjects
        Which examples.
    """

    def __init__(self, settings: SyntheticObjects) -> None:
        self._settings = settings
        self._materials = load_materials(settings.split)
        self._kept: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
        self.ids = [f"{settings.split}-{index:05d}" for index in range(settings.examples)]
        # The first scene stands for the libraries' arithmetic, which another version may change.
        content = self._materials.digest + hashlib.blake2b(self.example(0).image.tobytes(), digest_size=16).hexdigest()
        self.digests = [_digest(content, settings.seed, name) for name in self.ids]
        self.fingerprint = _digest(*self.digests)
        self.notes = [f"{settings.examples} generated scenes, textured by photographs that scikit-image carries"]

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return the frames of B examples."""
        frames = [self._frame(i) for i in index]
        return {
            "image": torch.from_numpy(np.stack([image for image, _ in frames])),
            "mask": torch.from_numpy(np.stack([mask for _, mask in frames])),
        }

    def example(self, index: int) -> Photograph:
        """Return one example at its own size."""
        image, mask = make_scene(self._materials, self._settings.seed, index)
        return Photograph(self.ids[index], image, mask)

    def _frame(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        frame = self._kept.get(index)
        if frame is None:
            frame = _squash(self.example(index))
            if len(self._kept) < _KEPT:
                self._kept[index] = frame
        return frame


def synthetic_objects(settings: SyntheticObjects, context: Context) -> SyntheticDataset:
    """Build the data set `synthetic-objects`."""
    return SyntheticDataset(settings)


def _squash(photograph: Photograph) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    image = cv2.resize(photograph.image, (FRAME, FRAME), interpolation=cv2.INTER_AREA)
    assert photograph.mask is not None
    mask = cv2.resize(photograph.mask.astype(np.float32), (FRAME, FRAME), interpolation=cv2.INTER_AREA) >= 0.5
    return np.ascontiguousarray(image.transpose(2, 0, 1)), mask.astype(np.uint8)


def _digest(*parts: object) -> str:
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).hexdigest()
