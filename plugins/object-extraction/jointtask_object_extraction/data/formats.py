"""Which files are images by their names and their content, and what reading the others would take."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec

from PIL import features

__all__ = ["FORMATS", "HEIF_BRANDS", "HEIF_REMEDY", "JPEG", "SUFFIXES", "UNREAD", "can_read_heif", "why_unread"]

JPEG = frozenset({".jfif", ".jpe", ".jpeg", ".jpg", ".mpo"})
"""Suffixes of JPEG files, the usual ones of photographs and unusual ones of masks, among `SUFFIXES`."""

HEIF = frozenset({".heic", ".heif", ".hif"})
"""Suffixes of the photographs that the extra `heif` reads."""

SUFFIXES = JPEG | HEIF | {
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".jp2", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip
"""Suffixes of files that are taken for images, in lower case."""

FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Formats that are decoded, by Pillow's names; the extra `heif` adds HEIF."""

_RAW = "convert to JPEG or TIFF with the camera's program"
_SAVE = "save as PNG, TIFF or JPEG"

UNREAD: Mapping[str, str] = {
    **dict.fromkeys((".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw"), _RAW),
    **dict.fromkeys((".exr", ".hdr", ".ico", ".j2k", ".jxl", ".pcx", ".psd", ".svg", ".tga", ".xcf"), _SAVE),
}
"""Suffixes of pictures that are not read, and what to do with such a file."""

HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
"""What the content of a HEIF file calls itself."""

HEIF_REMEDY = "pip install 'jointtask-object-extraction[heif]'"
_AVIF_REMEDY = "install a Pillow with AVIF (11.3 or newer)"


@cache
def can_read_heif() -> bool:
    """Say whether the package of the extra `heif` is installed."""
    return find_spec("pillow_heif") is not None


def why_unread(suffix: str) -> str:
    """Say what reading pictures of a suffix (in lower case) would take; "" for those that are read or no pictures."""
    if suffix in HEIF:
        return "" if can_read_heif() else HEIF_REMEDY
    if suffix == ".avif":
        return "" if features.check("avif") else _AVIF_REMEDY
    return UNREAD.get(suffix, "")
