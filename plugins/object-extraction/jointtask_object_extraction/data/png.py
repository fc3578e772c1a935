"""PNG files: the chunks that decide about pixels, apart from the text, dates and densities around them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from attrs import frozen
from PIL import Image

__all__ = ["PNG", "Png", "missing_rows", "read_png"]

PNG = b"\x89PNG\r\n\x1a\n"
"""The bytes that a PNG file begins with."""

_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
_MOST_PROFILE = 4 << 20
"""Largest colour profile that is read, in bytes: a small compressed one may claim gigabytes."""

_MOST_EXIF = 1 << 20
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7 interlacing: first column, first row, step across and step down of each pass."""


@frozen
class Png:
    """A PNG file taken apart.

    Attributes
    ----------
    content : bytes
        A PNG file of the chunks that decide about pixels, alone.
    exif : bytes
        The EXIF block, b"" where there is none.
    profile : bytes or None
        The ICC profile; None where there is none, b"" where it is damaged.
    """

    content: bytes
    exif: bytes
    profile: bytes | None


def read_png(file: BinaryIO) -> Png:
    """Take a PNG file apart; damage outside of its pixels is passed over.

    Parameters
    ----------
    file : binary file
        File at its start. Chunks that do not matter are skipped, not read.
    """
    kept, exif, profile = [file.read(len(PNG))], b"", None
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in _PIXELS:
            chunk = file.read(length + 4)
            if kind != b"tRNS" or _checked(kind, chunk):
                kept += [head, chunk]
        elif kind == b"eXIf" and length <= _MOST_EXIF:
            exif = file.read(length + 4)[:length]
        elif kind == b"iCCP" and length <= _MOST_PROFILE:
            profile = _profile(file.read(length + 4)[:length])
        elif kind == b"IEND":
            break
        else:
            file.seek(length + 4, io.SEEK_CUR)
    kept.append(struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND")))
    return Png(b"".join(kept), exif, profile)


def missing_rows(content: bytes, image: Image.Image) -> str:
    """Say what is missing where a PNG's compressed data is whole and has fewer rows than its header promises.

    Parameters
    ----------
    content : bytes
        The `content` of a `Png`.
    image : PIL.Image.Image
        Image decoded from it: rows without data are zero.

    Returns
    -------
    str
        "" if nothing is missing.
    """
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
    if not interlaced and image.crop((0, height - 1, width, height)).getbbox(alpha_only=False) is not None:
        return ""
    channels = _CHANNELS[colour]
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    expected = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            expected += rows * (1 + -(-columns * channels * bits // 8))
    held = _inflated(content, expected)
    return "" if held >= expected else f"it promises {height:,} rows, and has data for {held * height // expected:,}"


def _checked(kind: bytes, chunk: bytes) -> bool:
    return len(chunk) >= 4 and struct.unpack(">I", chunk[-4:])[0] == zlib.crc32(kind + chunk[:-4])


def _profile(chunk: bytes) -> bytes:
    _, _, compressed = chunk.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(compressed[1:], _MOST_PROFILE)
    except zlib.error:
        return b""


def _inflated(content: bytes, most: int) -> int:
    """Return how many bytes the compressed data holds, up to a number that is enough."""
    inflate, held = zlib.decompressobj(), 0
    try:
        for data in _compressed(content):
            rest = data
            while rest and held < most and not inflate.eof:
                held += len(inflate.decompress(rest, 1 << 20))
                rest = inflate.unconsumed_tail
        return held if held >= most else held + len(inflate.flush())
    except zlib.error:
        return held


def _compressed(content: bytes) -> Iterator[bytes]:
    at = len(PNG)
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind == b"IDAT":
            yield content[at + 8 : at + 8 + length]
        at += length + 12
