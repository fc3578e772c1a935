"""The orientation of an image, read from its EXIF block without looking at any other tag."""

from __future__ import annotations

import re
import struct

from PIL import Image

__all__ = ["exif_orientation", "upright"]

_ORIENTATION, _SHORT, _LONG = 0x0112, 3, 4
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([1-8])["<]')

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def exif_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, of an EXIF block; 1 (upright) where it tells none.

    Other tags may be of any type, damaged or missing: their values are not read.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    (first,) = struct.unpack_from(f"{order}I", tiff, 4)
    if first + 2 > len(tiff):
        return 1
    (count,) = struct.unpack_from(f"{order}H", tiff, first)
    for entry in range(first + 2, min(first + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind = struct.unpack_from(f"{order}HH", tiff, entry)
        if tag == _ORIENTATION and kind in (_SHORT, _LONG):
            (value,) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), tiff, entry + 8)
            return value if 1 <= value <= 8 else 1
    return 1


def upright(image: Image.Image) -> Image.Image:
    """Turn a decoded image as its EXIF block, its TIFF tag or its XMP block says."""
    exif = image.info.get("exif")
    orientation = exif_orientation(exif) if isinstance(exif, bytes) else 1
    if orientation == 1:
        tags = getattr(image, "tag_v2", {})  # without the tag where Pillow has turned the image already
        orientation = tags.get(_ORIENTATION, 1)
    if orientation == 1 and not exif:
        xmp = image.info.get("xmp")
        match = _XMP.search(xmp) if isinstance(xmp, bytes) else None
        orientation = int(match[1]) if match else 1
    method = _TRANSPOSE.get(orientation)
    return image if method is None else image.transpose(method)
