"""The one way in which a file becomes an image: for training, scoring and use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from jointtask.api import DataError
from jointtask_object_extraction.photograph import FRAME

__all__ = ["FORMATS", "SUFFIXES", "DecodeError", "decode_image", "open_image", "sixteen_bits", "squash", "to_rgb"]

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Of the files that are taken for images, in lower case."""

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""That are decoded, by Pillow's names."""

_SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", *_SIXTEEN_BITS)

# Pillow's limit is one for the process, and a warning at first; `open_image` checks its own before it decodes.
Image.MAX_IMAGE_PIXELS = None


class DecodeError(DataError):
    """A file that is no usable image or mask.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    problem : str
        What is wrong, the same words for the same kind of fault.
    """

    def __init__(self, path: Path, problem: str, *, cause: str = "", remedy: str = "") -> None:
        super().__init__(f"{path}: {problem}", cause=cause, remedy=remedy)
        self.path = path
        self.problem = problem


def decode_image(path: Path, max_pixels: int) -> NDArray[np.uint8]:
    """Decode an image as a viewer shows it, on white where it is transparent.

    Parameters
    ----------
    path : pathlib.Path
        A BMP, GIF, JPEG, PNG, TIFF or WebP file; the first frame where there are several.
    max_pixels : int
        Refuse an image with more, before any of them is decoded.

    Returns
    -------
    ndarray, (H, W, 3), uint8
        RGB, EXIF orientation applied, 16 bits reduced to the upper 8, colour profiles ignored.

    Raises
    ------
    DecodeError
        If the file is missing, no image, cut off, too large or of an unsupported pixel type.
    """
    return to_rgb(path, open_image(path, max_pixels))


def to_rgb(path: Path, image: Image.Image) -> NDArray[np.uint8]:
    """Convert a decoded picture as `decode_image` does; `path` is its file, for errors."""
    if image.mode in _SIXTEEN_BITS:
        grey = (sixteen_bits(path, image) >> 8).astype(np.uint8)  # as Pillow does it for 16-bit colour
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def open_image(path: Path, max_pixels: int) -> Image.Image:
    """Decode a file and turn it upright, in the pixel type that it has.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    max_pixels : int
        Refuse an image with more, before any of them is decoded.

    Returns
    -------
    PIL.Image.Image
        Decoded in full; of a mode that `decode_image` can convert.

    Raises
    ------
    DecodeError
        As `decode_image`.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise DecodeError(
                    path,
                    "too large",
                    cause=f"{width} x {height} pixels, and the limit is {max_pixels:,}",
                    remedy="make the image smaller, or raise the limit",
                )
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
    except DecodeError:
        raise
    except UnidentifiedImageError as error:
        raise DecodeError(path, "not an image", cause=f"its content is none of {', '.join(FORMATS)}") from error
    except OSError as error:
        raise DecodeError(path, "cannot be read", cause=error.strerror or str(error)) from error
    except Exception as error:  # Pillow raises many things at a broken file, and they all mean that
        raise DecodeError(path, "cannot be read", cause=f"{type(error).__name__}: {error}") from error
    if image.mode not in _MODES:
        raise DecodeError(path, "cannot be read", cause=f"pixels of type {image.mode} are not supported")
    return image


def sixteen_bits(path: Path, image: Image.Image) -> NDArray[np.uint16]:
    """Return the values of a grey image of 16 bits, (H, W)."""
    values: NDArray[Any] = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise DecodeError(path, "cannot be read", cause="its values need more than 16 bits")
    return values.astype(np.uint16)


def squash(image: NDArray[np.uint8], side: int = FRAME) -> NDArray[np.uint8]:
    """Squash an image to a square: the mean over areas where it shrinks, linear where it grows.

    Parameters
    ----------
    image : ndarray, (H, W) or (H, W, C), uint8
        Any size.
    side : int
        Of the result, in pixels.

    Returns
    -------
    ndarray, (side, side) or (side, side, C), uint8
        The squashed image.
    """
    height, width = image.shape[:2]
    # one axis may shrink while the other grows, and INTER_AREA averages only if neither grows
    shrunk = cv2.resize(image, (min(width, side), min(height, side)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
