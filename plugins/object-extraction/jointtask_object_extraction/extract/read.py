"""One photograph from whatever holds it: a file, bytes, an array, or a picture of Pillow's."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jointtask.api import DataError
from jointtask_object_extraction.data.decode import as_shown, decode_photograph
from jointtask_object_extraction.data.orientation import upright
from jointtask_object_extraction.photograph import Photograph

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = ["MAX_PIXELS", "Source", "read_photograph"]

MAX_PIXELS = 100_000_000
"""Default limit of a photograph's size; so many pixels need about 2 GB of memory."""

Source: TypeAlias = "str | PathLike[str] | bytes | NDArray[np.uint8] | Image.Image"
"""What a photograph is read from."""


def read_photograph(source: Source, max_pixels: int = MAX_PIXELS) -> Photograph:
    """Read a photograph.

    Parameters
    ----------
    source : path, bytes, ndarray or PIL.Image.Image
        An image file, its content, an array (H, W), (H, W, 3) or (H, W, 4) of uint8 (grey, RGB or RGBA), or a picture
        of Pillow's.
    max_pixels : int
        Largest number of pixels.

    Returns
    -------
    Photograph
        As a viewer shows it, with its transparency.

    Raises
    ------
    DataError
        If it is no image, or too large.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Image.Image):
        _require_size(source.width, source.height, max_pixels)
        return _from_picture(Path("the picture"), upright(source), "image")
    if isinstance(source, bytes):
        return decode_photograph(source, max_pixels, "image")
    path = Path(source)
    return decode_photograph(path, max_pixels, path.name)


def _from_picture(path: Path, picture: Image.Image, name: str) -> Photograph:
    decoded = as_shown(path, picture)
    return Photograph(name, decoded.image, None, decoded.alpha, decoded.notes)


def _from_array(array: NDArray[Any], max_pixels: int) -> Photograph:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise DataError(
            f"an array of shape {array.shape} and type {array.dtype} is no photograph",
            remedy="give (H, W), (H, W, 3) or (H, W, 4) of uint8: grey, RGB or RGBA",
        )
    if not array.size:
        raise DataError(f"an array of shape {array.shape} has no pixels")
    _require_size(array.shape[1], array.shape[0], max_pixels)
    if array.ndim == 2:
        return Photograph("image", np.repeat(array[..., None], 3, axis=2), None)
    if array.shape[2] == 4:
        return _from_picture(Path("the array"), Image.fromarray(array), "image")
    return Photograph("image", np.ascontiguousarray(array), None)


def _require_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise DataError("the image is too large", cause=f"{width} x {height} pixels, and the limit is {max_pixels:,}")
