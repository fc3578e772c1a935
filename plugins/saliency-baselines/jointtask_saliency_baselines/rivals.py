"""Saliency maps, and what SaliencyCut makes of them, as predictors of one photograph."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np
from attrs import frozen
from jointtask_object_extraction.photograph import Extraction, Photograph
from numpy.typing import NDArray

from jointtask.tools import explained, write_atomic
from jointtask_saliency_baselines.abstraction import soft_abstraction
from jointtask_saliency_baselines.contrast import histogram_contrast, region_contrast
from jointtask_saliency_baselines.hierarchy import hierarchical_saliency
from jointtask_saliency_baselines.maps import Image, Map
from jointtask_saliency_baselines.saliency_cut import Cut, saliency_cut

__all__ = ["METHODS", "Rival", "rival"]

Grey = NDArray[np.uint8]

METHODS: dict[str, Callable[[Image], Map]] = {
    "hc": histogram_contrast,
    "rc": region_contrast,
    "gc": soft_abstraction,
    "hs": hierarchical_saliency,
}
"""The saliency maps by name."""

_VERSION = 1  # of what is kept; grows when a map or a cut changes


@frozen
class Rival:
    """A saliency map, or the mask that SaliencyCut makes of it.

    Attributes
    ----------
    method : str
        A key of `METHODS`.
    cut : "max-flow", "grabcut" or None
        The way the map is cut; None leaves the map as it is.
    folder : pathlib.Path
        The folder in which maps and masks are kept, by the content of the image.
    """

    method: str
    cut: Cut | None
    folder: Path

    def __call__(self, photograph: Photograph) -> Extraction:
        """Return the map in steps of 1/255, as programs that write images do, or the mask."""
        made = self._mask(photograph.image) if self.cut else self._map(photograph.image)
        return Extraction(np.asarray(made / 255, dtype=np.float32), None)

    def _map(self, image: Image) -> Grey:
        return _kept(
            self.folder / f"{self.method}-{_VERSION}",
            image,
            lambda: np.rint(METHODS[self.method](image) * 255).astype(np.uint8),
        )

    def _mask(self, image: Image) -> Grey:
        assert self.cut is not None
        cut = self.cut
        return _kept(
            self.folder / f"{self.method}-{cut}-{_VERSION}",
            image,
            lambda: 255 * saliency_cut(image, self._map(image) / 255, cut).astype(np.uint8),
        )


def _kept(folder: Path, image: Image, make: Callable[[], Grey]) -> Grey:
    """Read what is kept for an image, or make and keep it; what cannot be read is made anew."""
    digest = blake2b(image.tobytes() + repr(image.shape).encode(), digest_size=20).hexdigest()
    path = folder / f"{digest}.png"
    if path.exists():
        read = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if read is not None and read.shape == image.shape[:2]:
            return np.asarray(read, dtype=np.uint8)
    made = make()
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, cv2.imencode(".png", made)[1].tobytes())
    return made


def rival(method: str, cut: Cut | None, cache: Path) -> Rival:
    """Make the predictor of a map, or of its cut, that keeps what it makes under the cache folder."""
    return Rival(method, cut, cache / "saliency-baselines")
