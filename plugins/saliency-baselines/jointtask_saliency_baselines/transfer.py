"""Window masks carried over from the training images that look alike (Kuettel and Ferrari, CVPR 2012)."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import cv2
import numpy as np
import torch
from attrs import frozen
from jointtask_object_extraction.decode import squash
from jointtask_object_extraction.photograph import FRAME, Extraction, Photograph
from numpy.typing import NDArray

from jointtask.cache import CachedArrays, cached_arrays
from jointtask.component import Context, NoSettings
from jointtask_saliency_baselines.descriptors import Basis, fit_basis, gradients, window_masks
from jointtask_saliency_baselines.location_cut import location_cut
from jointtask_saliency_baselines.training import evenly, training_sample
from jointtask_saliency_baselines.windows import WINDOWS, windows

__all__ = ["Library", "Transfer", "fgseg_lite", "soft_mask"]

_MOST_IMAGES = 2000
_BASIS_IMAGES = 100
_NEIGHBOURS = 10
_CHUNK = 100
"""Training images whose windows are compared at once."""

_LEVEL = 0.4
"""Of the soft mask, where the cut begins: it fits best on 24 of the DUTS-TR images that are kept for validation."""

_VERSION = "1"
"""Of the windows, their histograms and their masks."""


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
class Library:
    """The windows of the training images, in the cache.

    Attributes
    ----------
    basis : Basis
        Of the descriptors.
    arrays : CachedArrays
        Of each image `descriptor`, (100, 128), float16, and `mask`, (100, 16, 16), uint8, of 255.
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

        def make(place: int) -> dict[str, NDArray[Any]]:
            histograms, masks = describe(int(rows[place]))
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
        found = np.empty((len(descriptors), 0), np.intp)
        for start in range(0, len(self.arrays), _CHUNK):
            images = range(start, min(start + _CHUNK, len(self.arrays)))
            block = np.concatenate(self.arrays.batch(images, ["descriptor"])["descriptor"]).astype(np.float32)
            distance = np.einsum("nd,nd->n", block, block) - 2 * descriptors @ block.T
            near = _smallest(distance)
            best = np.concatenate([best, np.take_along_axis(distance, near, axis=1)], axis=1)
            found = np.concatenate([found, near + start * WINDOWS], axis=1)
            kept = _smallest(best)
            best, found = np.take_along_axis(best, kept, axis=1), np.take_along_axis(found, kept, axis=1)
        return found

    def masks(self, found: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the mean mask of windows (N, K), of those that `nearest` found: (N, 16, 16), in [0, 1]."""
        images, place = np.unique(found // WINDOWS, return_inverse=True)
        masks = self.arrays.batch(images, ["mask"])["mask"][place.reshape(found.shape), found % WINDOWS]
        return np.asarray(masks.mean(axis=1, dtype=np.float32) / 255)


@frozen(eq=False)
class Transfer:
    """A predictor: the soft mask of an image, then its cut."""

    library: Library

    def __call__(self, example: Photograph) -> Extraction:
        """Extract the object from a photograph."""
        frame = squash(example.image)
        boxes = windows(frame)
        found = self.library.nearest(self.library.basis.project(gradients(frame, boxes)))
        prior = soft_mask(boxes, self.library.masks(found))
        return Extraction(location_cut(example.image, prior, _LEVEL), None)


def soft_mask(boxes: NDArray[np.int32], masks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the masks of the windows that cover a pixel.

    Parameters
    ----------
    boxes : ndarray, (N, 4), int32
        Half-open (x1, y1, x2, y2), inside the frame.
    masks : ndarray, (N, S, S), float32
        Of each window, in its own frame, in [0, 1].

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


def _smallest(values: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return where the ten smallest values of each row are, not in order."""
    count = min(_NEIGHBOURS, values.shape[1])
    # six times as fast as NumPy's argpartition
    return torch.from_numpy(values).topk(count, dim=1, largest=False, sorted=False).indices.numpy().astype(np.intp)
