"""Files whose headers promise more than they hold."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jointtask_object_extraction.data.decode import DecodeError, decode_image
from PIL import Image

LIMIT = 200_000_000
NOISE = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(rows: int, of: int, mode: str = "RGB", **options: Any) -> bytes:
    """A PNG of `rows` rows whose header promises `of`."""
    content = bytearray(encoded(Image.fromarray(NOISE[:rows]).convert(mode), "PNG", **options))
    content[20:24] = struct.pack(">I", of)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def jpeg(height: int, width: int, mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG of 96 x 128 whose header promises more."""
    content = bytearray(encoded(Image.fromarray(NOISE).convert(mode), "JPEG", **options))
    at = next(i for i in range(len(content)) if content[i] == 0xFF and content[i + 1] in (0xC0, 0xC2))
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


CUT = {
    "PNG with 20 of 990 rows": lambda: png(20, 990),
    "PNG that lacks its last row": lambda: png(95, 96),
    "grey PNG": lambda: png(40, 90, "L"),
    "PNG of one bit": lambda: png(40, 90, "1"),
    "PNG with a palette": lambda: png(40, 90, "P"),
    "PNG with opacity": lambda: png(40, 90, "RGBA"),
    "JPEG of 9999 x 9999": lambda: jpeg(9999, 9999),
    "JPEG of twice the height": lambda: jpeg(192, 128),
    "JPEG of a row of blocks more": lambda: jpeg(112, 128),
    "wider JPEG": lambda: jpeg(96, 256),
    "grey JPEG": lambda: jpeg(300, 128, "L"),
    "progressive JPEG": lambda: jpeg(300, 128, progressive=True),
    "JPEG with restart markers": lambda: jpeg(300, 128, restart_marker_rows=1),
    "CMYK JPEG": lambda: jpeg(300, 128, "CMYK"),
}


@pytest.mark.parametrize("make", CUT.values(), ids=CUT.keys())
def test_a_file_with_less_than_its_header_promises_is_refused_as_cut_off(make: Callable[[], bytes]) -> None:
    with pytest.raises(DecodeError, match="truncated"):
        decode_image(make(), LIMIT)


def flat(value: int, size: tuple[int, int] = (96, 128)) -> Image.Image:
    return Image.fromarray(np.full((*size, 3), value, np.uint8))


def fading(end: int) -> Image.Image:
    image = NOISE.copy()
    image[60:] = end
    return Image.fromarray(image)


WHOLE = {
    "black PNG": lambda: encoded(flat(0), "PNG"),
    "PNG that ends black": lambda: encoded(fading(0), "PNG"),
    "transparent PNG with a colour": lambda: encoded(Image.new("RGBA", (9, 6), (9, 9, 9, 1)), "PNG"),
    "black PNG of one bit": lambda: encoded(flat(0).convert("1"), "PNG"),
    "mid-grey JPEG": lambda: encoded(flat(128), "JPEG"),
    "JPEG that ends mid-grey": lambda: encoded(fading(128), "JPEG"),
    "mid-grey progressive JPEG": lambda: encoded(flat(128), "JPEG", progressive=True),
    "mid-grey JPEG with restart markers": lambda: encoded(flat(128), "JPEG", restart_marker_blocks=2),
    "mid-grey JPEG of one pixel": lambda: encoded(flat(128, (1, 1)), "JPEG"),
    "mid-grey JPEG with data behind its end": lambda: encoded(flat(128), "JPEG") + b"trailer \xff\xd9 of a phone",
}


@pytest.mark.parametrize("make", WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_file_that_looks_like_one_cut_off_is_read(make: Callable[[], bytes]) -> None:
    content = make()
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(image.convert("RGB")) if image.mode != "RGBA" else None
    decoded = decode_image(content, LIMIT)
    if expected is not None:
        np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_other_formats_that_are_cut_off_are_refused(kind: str, share: float) -> None:
    content = encoded(Image.fromarray(NOISE), kind, **({"lossless": True} if kind == "WEBP" else {}))
    with pytest.raises(DecodeError):
        decode_image(content[: int(len(content) * share)], LIMIT)
