"""The one way in which a file becomes an image: for training, scoring and use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from PIL import Image

from jointtask_object_extraction.data.colour import to_srgb
from jointtask_object_extraction.data.formats import FORMATS, SUFFIXES
from jointtask_object_extraction.data.members import Member
from jointtask_object_extraction.data.opening import SIXTEEN_BITS, DecodeError, name_of, open_image
from jointtask_object_extraction.photograph import FRAME, Photograph

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "DecodeError",
    "Decoded",
    "as_shown",
    "decode",
    "decode_image",
    "decode_photograph",
    "open_image",
    "sixteen_bits",
    "squash",
]


@frozen(eq=False)
class Decoded:
    """An image as a viewer shows it.

    Attributes
    ----------
    image : ndarray, (H, W, 3), uint8
        RGB in sRGB, upright, on white where it is transparent.
    alpha : ndarray, (H, W), uint8, or None
        Opacity, 255 for opaque; None where all is opaque.
    notes : tuple of str
        Decisions about the image that a user may want to know.
    """

    image: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    notes: tuple[str, ...] = ()


def decode_image(source: Path | bytes, max_pixels: int) -> NDArray[np.uint8]:
    """Decode an image as a viewer shows it, on white where it is transparent; as `decode`, without the rest."""
    return decode(source, max_pixels).image


def decode_photograph(source: Path | bytes, max_pixels: int, name: str) -> Photograph:
    """Decode an image with its opacity, as an example without a mask; as `decode`."""
    decoded = decode(source, max_pixels)
    return Photograph(name, decoded.image, None, decoded.alpha, decoded.notes)


def decode(source: Path | Member | bytes, max_pixels: int) -> Decoded:
    """Decode an image as a viewer shows it.

    Parameters
    ----------
    source : pathlib.Path, Member or bytes
        A file of one of `FORMATS`, or its content; the first frame where there are several. Its metadata but for
        orientation and colour profile is not looked at.
    max_pixels : int
        Largest number of pixels; a larger image is refused before any of them is decoded.

    Returns
    -------
    Decoded
        Upright, in sRGB, 16 bits reduced to the upper 8.

    Raises
    ------
    DecodeError
        If the file is missing, no image, cut off, too large, of an unsupported pixel type, or without a visible pixel.
    """
    return as_shown(name_of(source), open_image(source, max_pixels))


def as_shown(path: Path, image: Image.Image) -> Decoded:
    """Convert a picture that is upright, as `decode` does; `path` names it in errors."""
    if image.mode in SIXTEEN_BITS:
        grey = (sixteen_bits(path, image) >> 8).astype(np.uint8)  # as Pillow does it for 16-bit colour
        return Decoded(np.repeat(grey[..., None], 3, axis=2), None)
    profile = image.info.get("icc_profile")
    if not image.has_transparency_data:
        opaque, note = to_srgb(image, profile)
        return Decoded(np.array(opaque), None, (note,) if note else ())
    layers = image.convert("RGBA")
    opacity = layers.getchannel("A")
    if opacity.getextrema() == (0, 0):
        raise DecodeError(path, "no visible pixel", cause="the image is transparent throughout")
    coloured, note = to_srgb(image.convert("L") if image.mode in ("LA", "La") else layers.convert("RGB"), profile)
    coloured.putalpha(opacity)
    white = Image.new("RGBA", image.size, "white")
    alpha = None if opacity.getextrema() == (255, 255) else np.array(opacity)
    return Decoded(np.array(Image.alpha_composite(white, coloured).convert("RGB")), alpha, (note,) if note else ())


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
        An image of any size.
    side : int
        Side of the result, in pixels.

    Returns
    -------
    ndarray, (side, side) or (side, side, C), uint8
        The squashed image.
    """
    height, width = image.shape[:2]
    # one axis may shrink while the other grows, and INTER_AREA averages only if neither grows
    shrunk = cv2.resize(image, (min(width, side), min(height, side)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
