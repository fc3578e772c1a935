"""The data set `synthetic-objects`: generated scenes, nothing to download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jointtask.api import Context
from jointtask.tools import cached_arrays
from jointtask_object_extraction.data.decode import squash
from jointtask_object_extraction.data.masks import squash_mask
from jointtask_object_extraction.data.synthetic_scenes.materials import load_materials
from jointtask_object_extraction.data.synthetic_scenes.scene import make_scene
from jointtask_object_extraction.photograph import FRAME, Photograph
from jointtask_object_extraction.settings import SyntheticObjects

__all__ = ["SyntheticDataset", "synthetic_objects"]

_VERSION = "synthetic-objects 3"
"""Part of every digest; raised whenever a seed gives another scene than before."""

_KEPT = 256
"""Number of full-size scenes kept in memory (0.2 MB each); others are made again on demand."""


class SyntheticDataset:
    """Generated scenes, with frames in the cache; a `jointtask.api.dataset.Dataset`.

    An example depends on (seed, split, position) alone, not on how many there are.

    Parameters
    ----------
    settings : SyntheticObjects
        Split, number of examples and seed.
    context : Context
        The cache, the workers and the progress display.

    Raises
    ------
    DataError
        If scikit-image is installed without its photographs.
    RunError
        If the cache cannot be used.
    """

    def __init__(self, settings: SyntheticObjects, context: Context) -> None:
        self._settings = settings
        self._materials = load_materials(settings.split)
        self._scene = lru_cache(maxsize=_KEPT)(self._make)
        self.ids = [f"{settings.split}-{index:05d}" for index in range(settings.examples)]
        # the first scene's pixels detect another version of the libraries, which may compute other scenes
        first = self.example(0).image.tobytes().hex()
        content = _digest(_VERSION, FRAME, self._materials.digest, settings.seed, first)
        self.digests = [_digest(content, name) for name in self.ids]
        self.fingerprint = _digest(*self.digests)
        self.notes = [f"{settings.examples:,} generated scenes, textured by photographs that scikit-image carries"]
        self._frames = cached_arrays(
            context.cache / "frames",
            self.digests,
            self._arrays,
            workers=context.workers,
            progress=context.progress,
            label="make scenes",
        )

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.ids)

    def batch(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return the frames of B examples: `image` (B, 3, 224, 224), RGB, and `mask` (B, 224, 224), uint8 both."""
        return {name: torch.from_numpy(array) for name, array in self._frames.batch(index).items()}

    def example(self, index: int) -> Photograph:
        """Return one example at its own size."""
        return self._scene(index)

    def _make(self, index: int) -> Photograph:
        return Photograph(self.ids[index], *make_scene(self._materials, self._settings.seed, index))

    def _arrays(self, index: int) -> Mapping[str, NDArray[Any]]:
        image, mask = make_scene(self._materials, self._settings.seed, index)
        return {"image": squash(image).transpose(2, 0, 1), "mask": squash_mask(mask).astype(np.uint8)}


def synthetic_objects(settings: SyntheticObjects, context: Context) -> SyntheticDataset:
    """Build the data set `synthetic-objects`."""
    return SyntheticDataset(settings, context)


def _digest(*parts: object) -> str:
    return blake2b("\n".join(map(str, parts)).encode(), digest_size=20).hexdigest()
