"""Masks and maps: how a file says which pixels are the object, and what becomes of a mask in the frame."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jointtask_object_extraction.data.decode import sixteen_bits
from jointtask_object_extraction.data.members import Member
from jointtask_object_extraction.data.opening import DecodeError, name_of, open_image
from jointtask_object_extraction.photograph import FRAME

__all__ = ["ENCODINGS", "Encoding", "decode_map", "decode_mask", "squash_mask"]

Encoding = Literal["0/1", "0/255", "two values", "grey", "palette", "colour", "alpha"]

ENCODINGS: dict[Encoding, str] = {
    "0/1": "0 is background, 1 the object",
    "0/255": "0 is background, 255 the object",
    "two values": "0 is background, the other value the object",
    "grey": "the object is where the value is at least half of the whole range (128 of 255)",
    "palette": "entry 0 is background, every other entry the object",
    "colour": "black is background, every other colour the object",
    "alpha": "the object is where the opacity is at least 128",
}
"""What was taken for the object, by encoding."""

_MAX_LABELS = 256


def decode_mask(
    source: Path | Member, size: tuple[int, int] | None, max_pixels: int, *, grey: bool = False
) -> tuple[NDArray[np.bool_], Encoding]:
    """Decode a mask and decide what its values mean.

    Parameters
    ----------
    source : pathlib.Path or Member
        An image file.
    size : (int, int) or None
        Height and width of the image that it belongs to; None where there is no image.
    max_pixels : int
        Largest number of pixels; a larger mask is refused before any of them is decoded.
    grey : bool
        Whether it is grey whatever its values are, so that a mask with none of 128 or more is empty.

    Returns
    -------
    mask : ndarray, (H, W), bool
        True on the object.
    encoding : Encoding
        The decision, a key of `ENCODINGS`.

    Raises
    ------
    DecodeError
        If it cannot be decoded, has another size than its image, or its values could mean anything.
    """
    path, mask = name_of(source), open_image(source, max_pixels)
    if size is not None and mask.size != (size[1], size[0]):
        raise DecodeError(
            path,
            "mask of another size than its image",
            cause=f"the mask is {mask.size[0]} x {mask.size[1]} pixels, its image {size[1]} x {size[0]}",
            remedy="a mask must have the size of its image",
        )
    if grey:
        deep = mask.mode.startswith("I")
        return (sixteen_bits(path, mask) >> 8 if deep else np.asarray(mask.convert("L"))) >= 128, "grey"
    values, kind = _values(path, mask)
    if kind == "alpha":
        return values >= 128, kind
    return (values != 0, kind) if kind in ("palette", "colour") else _decide_grey(path, values)


def decode_map(path: Path, max_pixels: int) -> tuple[NDArray[np.float32], Encoding]:
    """Decode a map of the object as any program may have saved it.

    Parameters
    ----------
    path : pathlib.Path
        An image file.
    max_pixels : int
        Largest number of pixels; a larger map is refused before any of them is decoded.

    Returns
    -------
    probability : ndarray, (H, W), float32
        In [0, 1]: grey or opacity over the whole range of its type (255, or 65535 of 16 bits); 0 or 1 if its values
        are 0 and 1, a palette or colours.
    encoding : Encoding
        The way it was read: "grey", "0/1", "alpha", "palette" or "colour".

    Raises
    ------
    DecodeError
        If it cannot be decoded or is a photograph.
    """
    values, kind = _values(path, open_image(path, max_pixels))
    if kind == "grey" and values.max() == 1:
        kind = "0/1"
    whole = 1 if kind in ("0/1", "palette", "colour") else np.iinfo(values.dtype).max
    return (values / whole).astype(np.float32), kind


def _values(path: Path, picture: Image.Image) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], Encoding]:
    """Return what says where the object is: grey values, opacity, or 1 where a palette or colours name an object."""
    if picture.mode.startswith("I"):
        return sixteen_bits(path, picture), "grey"
    if picture.has_transparency_data:
        opacity = np.asarray(picture.convert("RGBA").getchannel("A"))
        if opacity.min() < opacity.max():
            return opacity, "alpha"
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L")), "grey"
    colour = np.asarray(picture.convert("RGB"))
    if (colour == colour[..., :1]).all():
        return colour[..., 0], "grey"
    if picture.mode == "P":
        return (np.asarray(picture) != 0).astype(np.uint8), "palette"
    if picture.convert("RGB").getcolors(_MAX_LABELS) is None:
        raise DecodeError(path, "a photograph, not a mask", cause=f"it has more than {_MAX_LABELS} colours")
    return (colour != 0).any(axis=2).astype(np.uint8), "colour"


def _decide_grey(path: Path, values: NDArray[np.uint8] | NDArray[np.uint16]) -> tuple[NDArray[np.bool_], Encoding]:
    distinct = np.flatnonzero(np.bincount(values.ravel())).tolist()
    least, most = distinct[0], distinct[-1]
    if most <= 1:
        return values == 1, "0/1"
    if (least == 0 and len(distinct) == 2) or distinct == [255]:
        return values != 0, "0/255" if most == 255 else "two values"
    half = 128 if values.dtype == np.uint8 else 128 << 8
    if most < half:
        raise DecodeError(
            path,
            "mask that cannot be decided",
            cause=f"{len(distinct)} values from {least} to {most}: neither two values nor a soft map up to {half}",
            remedy="write 0 for the background and 255 for the object",
        )
    return values >= half, "grey"


def squash_mask(mask: NDArray[np.bool_], side: int = FRAME) -> NDArray[np.bool_]:
    """Squash a mask to a square: the object is where it covers at least half of the area.

    Parameters
    ----------
    mask : ndarray, (H, W), bool
        True on the object.
    side : int
        Side of the result, in pixels.

    Returns
    -------
    ndarray, (side, side), bool
        Never empty if `mask` is not: an object too thin for one half is where it covers most.
    """
    height, width = mask.shape
    share = mask.astype(np.float32)
    share = np.asarray(cv2.resize(share, (min(width, side), min(height, side)), interpolation=cv2.INTER_AREA))
    share = np.asarray(cv2.resize(share, (side, side), interpolation=cv2.INTER_LINEAR))
    squashed: NDArray[np.bool_] = (share >= min(0.5, share.max())) & (share > 0)
    return squashed
