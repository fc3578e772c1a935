"""JPEG files: where the image ends, whether all of its blocks are there, and what is only metadata."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Iterator

import numpy as np
from attrs import frozen
from PIL import Image

__all__ = ["JPEG_START", "Jpeg", "has_all_blocks", "looks_cut_off", "read_jpeg", "with_end"]

JPEG_START = b"\xff\xd8\xff"
"""The bytes that a JPEG file begins with."""

_END = b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_SCAN, _EOI = 0xDA, 0xD9
_APP0, _APP1, _APP2 = 0xE0, 0xE1, 0xE2
_METADATA = frozenset({*range(0xE0, 0xEE), 0xEF, 0xFE})
"""Application and comment segments but APP14, which says what the colours are."""

_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"


@frozen
class Jpeg:
    """A JPEG file taken apart.

    Attributes
    ----------
    content : bytes
        A JPEG file of the segments that decide about pixels, alone.
    exif, xmp : bytes
        The EXIF and XMP blocks, b"" where there is none.
    profile : bytes or None
        The ICC profile; None where there is none, b"" where a part is missing.
    """

    content: bytes
    exif: bytes
    xmp: bytes
    profile: bytes | None


def looks_cut_off(image: Image.Image) -> bool:
    """Say whether the last pixel is mid-grey in every band, as the decoder fills blocks without data."""
    last = image.getpixel((image.width - 1, image.height - 1))
    values = last if isinstance(last, tuple) else (last,)
    return all(value is not None and 126 <= value <= 130 for value in values)


def has_all_blocks(content: bytes, decode: Callable[[bytes], Image.Image]) -> bool:
    """Say whether a file has data for every block that its header promises, with or without its end marker.

    It is decoded twice, with random data added behind its own: where all blocks are there, that is not looked at;
    where some are missing, it becomes their content.

    Parameters
    ----------
    content : bytes
        The file.
    decode : callable
        Decodes such a file, in full.
    """
    own = content[: _end_of_image(content)].removesuffix(b"\xff")
    try:
        first, second = (np.asarray(decode(own + added + _END)) for added in (b"", _noise()))
    except Exception:  # whatever Pillow raises, the file with its end marker is not whole
        return False
    return np.array_equal(first, second)


def with_end(content: bytes) -> bytes:
    """Return the file with an end marker behind its image."""
    return content[: _end_of_image(content)].removesuffix(b"\xff") + _END


def read_jpeg(content: bytes) -> Jpeg:
    """Take a JPEG file apart; damage outside of its pixels is passed over."""
    kept, exif, xmp = [content[:2]], b"", b""
    profile: dict[int, bytes] = {}
    parts = 0
    for marker, start, stop in _segments(content):
        body = content[start + 4 : stop]
        if marker == _APP1 and body.startswith(_EXIF):
            exif = exif or body
        elif marker == _APP1 and body.startswith(_XMP):
            xmp = xmp or body
        elif marker == _APP2 and body.startswith(_ICC) and len(body) > len(_ICC) + 2:
            parts = body[len(_ICC) + 1]
            profile[body[len(_ICC)]] = body[len(_ICC) + 2 :]
        elif marker not in _METADATA or (marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 14):
            kept.append(content[start:stop])
    whole = [profile.get(number) for number in range(1, parts + 1)]
    joined = b"".join(part for part in whole if part is not None) if None not in whole else b""
    return Jpeg(b"".join(kept), exif, xmp, joined if profile else None)


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, start and end of each segment; the first scan and all behind it is one."""
    at = 2
    while at + 4 <= len(content):
        marker = content[at + 1]
        if content[at] != 0xFF or marker in (0x00, 0xFF):
            at += 1
        elif marker == _SCAN:
            yield marker, at, len(content)
            return
        else:
            (length,) = struct.unpack_from(">H", content, at + 2)
            yield marker, at, at + 2 + length
            at += 2 + length


def _end_of_image(content: bytes) -> int:
    """Return where the end marker stands, or the end of the file where there is none."""
    at = next((start for marker, start, _ in _segments(content) if marker == _SCAN), len(content))
    while (match := _MARKER.search(content, at)) is not None:
        if match[0][1] == _EOI:
            return match.start()
        if match.end() + 2 > len(content):
            break
        at = match.end() + struct.unpack_from(">H", content, match.end())[0]
    return len(content)


def _noise() -> bytes:
    """Return random data without markers, but for every restart marker once."""
    source = random.Random(0)
    runs = [bytes(source.randrange(1, 255) for _ in range(512)) for _ in range(9)]
    return runs[0] + b"".join(bytes([0xFF, 0xD0 + number]) + run for number, run in enumerate(runs[1:]))
