"""`Cutter`: objects out of photographs, in three lines of Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from jointtask.api import ConfigError, Progress
from jointtask.tools import SilentProgress
from jointtask_object_extraction.extract.choose import check_box, check_point, object_at, objects_in
from jointtask_object_extraction.extract.model import Model, open_model
from jointtask_object_extraction.extract.read import MAX_PIXELS, Source, read_photograph
from jointtask_object_extraction.extract.result import Cutout, expected_iou, squash_map
from jointtask_object_extraction.photograph import FRAME, Photograph

__all__ = ["Cutter"]

_ONE_COLOUR = 8
"""Greatest range of each channel in a photograph of one colour, in grey levels: what JPEG does to one."""

_UNDER_HALF = np.nextafter(np.float32(0.5), np.float32(0))


class Cutter:
    """Cuts objects out of photographs; one may be shared by threads.

    Parameters
    ----------
    model : str, path or Model
        A run directory, or the name of a predictor; by default the model that ships. Or a model that is loaded.
    device : "auto", "cpu", "cuda" or "mps"
        Device of the networks; "auto" takes the best one present.
    draws : int
        Number of boxes drawn from their posterior to judge the result by: its score and its uncertainty; 0 judges it
        by its own probabilities. Each draw costs one more pass of the segmentation network.
    max_pixels : int
        Largest number of pixels of a photograph.
    progress : Progress, optional
        Receiver of what loading the model reports; silent by default.

    Raises
    ------
    UserError
        If there is no such model or device.

    Examples
    --------
    >>> from jointtask_object_extraction import Cutter
    >>> cutter = Cutter()
    >>> result = cutter("cat.jpg")
    >>> result.save("cat.png")
    """

    def __init__(
        self,
        model: str | Path | Model = "shipped",
        *,
        device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
        draws: int = 0,
        max_pixels: int = MAX_PIXELS,
        progress: Progress | None = None,
    ) -> None:
        if draws < 0:
            raise ConfigError(f"draws must be at least 0, got {draws}")
        self.draws = draws
        self.max_pixels = max_pixels
        if isinstance(model, str | Path):
            model = open_model(model, device, progress or SilentProgress())
        self._model: Model = model

    @property
    def device(self) -> str:
        """Name of the device that the networks run on; empty where the model does not say."""
        return self._model.device

    def __call__(
        self,
        image: Source | Photograph,
        *,
        box: Sequence[float] | None = None,
        point: Sequence[float] | None = None,
    ) -> Cutout:
        """Cut the object out of one photograph.

        Parameters
        ----------
        image : path, bytes, ndarray, PIL.Image.Image or Photograph
            The photograph; arrays are (H, W), (H, W, 3) or (H, W, 4) of uint8, RGB.
        box : sequence of 4 float, optional
            Half-open (x1, y1, x2, y2) about the object in pixels, in the place of the predicted box.
        point : sequence of 2 float, optional
            (x, y) in pixels on the object, in the place of the predicted box.

        Raises
        ------
        UserError
            If the photograph cannot be read, or box or point are outside of it.
        """
        photograph = self._read(image)
        if box is not None and point is not None:
            raise ConfigError("give a box or a point, not both")
        if box is not None:
            inside = self._model.extract_inside(photograph, check_box(box, photograph)[None])
            return self._finish(photograph, inside[0].probability)
        if point is not None:
            return self._finish(photograph, object_at(self._model, photograph, check_point(point, photograph)))
        return next(self.many([photograph]))

    def many(self, images: Iterable[Source | Photograph], *, batch_size: int = 8) -> Iterator[Cutout]:
        """Cut the objects out of many photographs, in batches; results come in order, and may be read as they come.

        Parameters
        ----------
        images : iterable
            Photographs, as in a call.
        batch_size : int
            Photographs whose networks run together, and that are in memory at once. A batch may change a probability
            in its last bits.
        """
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}")
        left = iter(images)
        while group := list(islice(left, batch_size)):
            photographs = [self._read(image) for image in group]
            plain = [photograph for photograph in photographs if not _odd(photograph)]
            extractions = iter(self._model.extract(plain) if plain else [])
            for photograph in photographs:
                note = _odd(photograph)
                if note:
                    nothing = np.zeros(photograph.image.shape[:2], dtype=np.float32)
                    yield Cutout(photograph, nothing, 0.0, note)
                else:
                    yield self._finish(photograph, next(extractions).probability, draws=self.draws)

    def objects(self, image: Source | Photograph, count: int) -> list[Cutout]:
        """Cut up to `count` objects out of one photograph, the most striking first; no pixel belongs to two."""
        if count < 1:
            raise ConfigError(f"the number of objects must be at least 1, got {count}")
        photograph = self._read(image)
        if count == 1 or _odd(photograph):
            return [self(photograph)]
        cutouts: list[Cutout] = []
        taken = np.zeros(photograph.image.shape[:2], dtype=np.float32)
        for probability in objects_in(self._model, photograph, count):
            cutout = self._finish(photograph, probability)
            # Refined edges may cross: a pixel of which an object before has at least half is in no other mask.
            cutout.room = np.where(taken < 0.5, 1 - taken, np.minimum(1 - taken, _UNDER_HALF))
            taken = np.minimum(1, taken + cutout.alpha)
            cutouts.append(cutout)
        return cutouts

    def _read(self, image: Source | Photograph) -> Photograph:
        return image if isinstance(image, Photograph) else read_photograph(image, self.max_pixels)

    def _finish(self, photograph: Photograph, probability: NDArray[np.float32], draws: int = 0) -> Cutout:
        small = squash_map(probability)
        note = "" if bool((probability >= 0.5).any()) else "no object was found"
        if not draws:
            return Cutout(photograph, probability, expected_iou(small >= 0.5, small), note)
        maps = self._model.sample(photograph, draws)
        height, width = probability.shape
        posterior = np.asarray(cv2.resize(maps.mean(axis=0), (width, height), interpolation=cv2.INTER_LINEAR))
        return Cutout(photograph, probability, expected_iou(_in_frame(probability), maps), note, posterior)


def _in_frame(probability: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the mask in the frame, (F, F)."""
    squashed = cv2.resize(squash_map(probability), (FRAME, FRAME), interpolation=cv2.INTER_LINEAR)
    return np.asarray(squashed) >= 0.5


def _odd(photograph: Photograph) -> str:
    """Say why a photograph holds nothing that could be cut out; empty as a rule."""
    pixels = photograph.image.reshape(-1, 3)
    if bool((np.ptp(pixels, axis=0) <= _ONE_COLOUR).all()):
        return "it is of one colour"
    return ""
