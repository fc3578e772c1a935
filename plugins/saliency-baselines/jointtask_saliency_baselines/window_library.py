"""The windows of the training images, as they are kept and searched: what they look like, and their masks."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from attrs import frozen
from numpy.typing import NDArray

from jointtask.api import Context
from jointtask.tools import CachedArrays, cached_arrays
from jointtask_saliency_baselines.descriptors import Basis, fit_basis, gradients, window_masks
from jointtask_saliency_baselines.training import evenly, training_sample
from jointtask_saliency_baselines.windows import WINDOWS, windows

__all__ = ["Library"]

_MOST_IMAGES = 2000
_BASIS_IMAGES = 100
_NEIGHBOURS = 10
_CHUNK = 100
"""Training images whose windows are compared at once."""

_VERSION = "1"
"""Of the windows, their histograms and their masks."""


@frozen(eq=False)
class Library:
    """The windows of the training images, in the cache.

    Attributes
    ----------
    basis : Basis
        The principal axes of the descriptors.
    arrays : CachedArrays
        The cached arrays of each image: `descriptor`, (100, 128), float16, and `mask`, (100, 16, 16), uint8, of 255.
    """

    basis: Basis
    arrays: CachedArrays

    @classmethod
    def of(cls, context: Context) -> Library:
        """Describe the windows of the training images; what is in the cache is not made again."""
        train, rows = training_sample(context, "fgseg-lite", _MOST_IMAGES)

        def describe(index: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
            example = {name: values[0].numpy() for name, values in train.batch([index]).items()}
            frame = np.ascontiguousarray(example["image"].transpose(1, 2, 0))
            boxes = windows(frame)
            return gradients(frame, boxes), window_masks(example["mask"], boxes)

        few = evenly(rows, _BASIS_IMAGES)
        keys = [f"{train.digests[row]} {_VERSION}" for row in few]
        samples = cached_arrays(
            context.cache / "fgseg-lite" / "gradients",
            keys,
            lambda place: {"gradients": describe(int(few[place]))[0].astype(np.float16)},
            workers=context.workers,
            progress=context.progress,
            label="fgseg-lite: gradients",
        )
        tag = blake2b("\n".join(keys).encode(), digest_size=20).hexdigest()

        def fit(_: int) -> dict[str, NDArray[np.float32]]:
            fitted = fit_basis(np.concatenate(samples.batch(range(len(few)))["gradients"]))
            return {"mean": fitted.mean, "components": fitted.components}

        # kept as well: another run's eigenvectors may differ in sign
        fitted = cached_arrays(
            context.cache / "fgseg-lite" / "basis",
            [tag],
            fit,
            workers=1,
            progress=context.progress,
            label="fgseg-lite: principal components",
        ).batch([0])
        basis = Basis(fitted["mean"][0], fitted["components"][0])

        def make(position: int) -> dict[str, NDArray[Any]]:
            histograms, masks = describe(int(rows[position]))
            return {"descriptor": basis.project(histograms).astype(np.float16), "mask": masks}

        arrays = cached_arrays(
            context.cache / "fgseg-lite" / "windows",
            [f"{train.digests[row]} {_VERSION} {tag}" for row in rows],
            make,
            workers=context.workers,
            progress=context.progress,
            label="fgseg-lite: windows",
        )
        return cls(basis, arrays)

    def nearest(self, descriptors: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the training windows whose descriptors are nearest, by Euclidean distance.

        Parameters
        ----------
        descriptors : ndarray, (N, 128), float32

        Returns
        -------
        ndarray, (N, 10), intp
            Image x 100 + window, not in order; fewer columns if there are fewer windows.
        """
        best = np.empty((len(descriptors), 0), np.float32)
        nearest = np.empty((len(descriptors), 0), np.intp)
        for start in range(0, len(self.arrays), _CHUNK):
            images = range(start, min(start + _CHUNK, len(self.arrays)))
            block = np.concatenate(self.arrays.batch(images, ["descriptor"])["descriptor"]).astype(np.float32)
            distance = np.einsum("nd,nd->n", block, block) - 2 * descriptors @ block.T
            near = _smallest(distance)
            best = np.concatenate([best, np.take_along_axis(distance, near, axis=1)], axis=1)
            nearest = np.concatenate([nearest, near + start * WINDOWS], axis=1)
            kept = _smallest(best)
            best, nearest = np.take_along_axis(best, kept, axis=1), np.take_along_axis(nearest, kept, axis=1)
        return nearest

    def masks(self, nearest: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the mean mask of windows (N, K), of those that `nearest` found: (N, 16, 16), in [0, 1]."""
        images, position = np.unique(nearest // WINDOWS, return_inverse=True)
        masks = self.arrays.batch(images, ["mask"])["mask"][position.reshape(nearest.shape), nearest % WINDOWS]
        return np.asarray(masks.mean(axis=1, dtype=np.float32) / 255)


def _smallest(values: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return where the ten smallest values of each row are, not in order."""
    count = min(_NEIGHBOURS, values.shape[1])
    # six times as fast as NumPy's argpartition
    return torch.from_numpy(values).topk(count, dim=1, largest=False, sorted=False).indices.numpy().astype(np.intp)
