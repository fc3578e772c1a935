"""The photographs that scikit-image carries, cut into the textures of each split."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
import skimage
from attrs import frozen
from numpy.typing import NDArray

from jointtask.api import DataError

__all__ = ["Materials", "Pixels", "Split", "load_materials"]

Split = Literal["train", "validation", "test"]
Pixels = NDArray[np.float32]

_SHARES: dict[Split, tuple[float, float]] = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}
"""The part of each photograph, from left to right, that belongs to a split."""


class _Region(NamedTuple):
    """The part of a photograph that shows material, in pixels."""

    file: str
    top: int
    bottom: int
    left: int
    right: int


_MOST_ROWS = 512
"""Height to which larger photographs are reduced, so that all show their texture at about the same scale."""

_OBJECTS = (
    _Region("astronaut.png", 190, 512, 0, 330),
    _Region("chelsea.png", 0, 300, 0, 360),
    _Region("coffee.png", 20, 390, 90, 480),
    _Region("ihc.png", 0, 512, 0, 512),
    _Region("retina.jpg", 300, 1100, 250, 1150),
)
_GROUNDS = (
    _Region("brick.png", 0, 512, 0, 512),
    _Region("grass.png", 0, 512, 0, 512),
    _Region("gravel.png", 0, 512, 0, 512),
)


@frozen(eq=False)
class Materials:
    """The textures of the scenes of one split.

    Attributes
    ----------
    split : str
        The split whose scenes use them.
    objects : tuple of ndarray, (H, W, 3), float32
        Colour photographs, in [0, 1].
    colours : ndarray, (number of objects, 3), float32
        The mean colour of each object photograph.
    grounds : tuple of ndarray, (H, W), float32
        Grey photographs of bricks, grass and gravel, of mean 0 and standard deviation 1.
    digest : str
        Hexadecimal digest of the photographs' files.
    """

    split: Split
    objects: tuple[Pixels, ...]
    colours: Pixels
    grounds: tuple[Pixels, ...]
    digest: str


@cache
def load_materials(split: Split) -> Materials:
    """Read the photographs inside the installed scikit-image; nothing is downloaded.

    Raises
    ------
    DataError
        If scikit-image is installed without them.
    """
    digest = hashlib.blake2b(digest_size=16)
    objects = tuple(_read(region, split, digest) for region in _OBJECTS)
    grey = [_read(region, split, digest).mean(axis=2) for region in _GROUNDS]
    return Materials(
        split=split,
        objects=objects,
        colours=np.stack([photograph.mean(axis=(0, 1)) for photograph in objects]),
        grounds=tuple((photograph - photograph.mean()) / photograph.std() for photograph in grey),
        digest=digest.hexdigest(),
    )


def _read(region: _Region, split: Split, digest: hashlib.blake2b) -> Pixels:
    """Read the split's part of a region, (H, W, 3), in [0, 1]; the whole file goes into the digest."""
    path = Path(skimage.__file__).parent / "data" / region.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"synthetic-objects: cannot read {path}",
            cause=str(error),
            remedy="reinstall scikit-image from its wheel, which carries its photographs",
        ) from error
    digest.update(content)
    image = np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB), dtype=np.float32) / 255
    start, end = (region.left + round(share * (region.right - region.left)) for share in _SHARES[split])
    part = image[region.top : region.bottom, start:end]
    scale = min(1.0, _MOST_ROWS / len(part))
    return np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.float32)
