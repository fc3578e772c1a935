"""Metadata decides about nothing but orientation and colours, and damage to it costs no pixel."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jointtask_object_extraction.data.colour import BROKEN, CONVERTED
from jointtask_object_extraction.data.decode import DecodeError, decode, decode_image
from jointtask_object_extraction.data.masks import decode_mask
from PIL import Image, ImageCms

LIMIT = 10_000_000
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def encoded(image: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes, *, whole: bool = True) -> bytes:
    crc = zlib.crc32(kind + content) ^ (not whole)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def exif(*entries: tuple[int, int, int, bytes], order: str = "<", orientation: int = 6, tail: bytes = b"") -> bytes:
    """An EXIF block whose first entry is the orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    block = mark + struct.pack(f"{order}IH", 8, len(entries) + 1)
    block += struct.pack(f"{order}HHIHH", 0x112, 3, 1, orientation, 0)
    for tag, kind, count, value in entries:
        block += struct.pack(f"{order}HHI", tag, kind, count) + value
    return block + struct.pack(f"{order}I", 0) + tail


ODD = {
    "orientation of a number that is none": exif(orientation=6) + b"rest",
    "big endian, with a text as density": exif((0x11A, 2, 4, b"abc\0"), order=">"),
    "an offset behind the end": exif((0x10F, 2, 400, struct.pack("<I", 0xFFFFFF00))),
    "a type that does not exist": exif((0x110, 99, 1, b"\1\2\3\4")),
    "a count of four billion": exif((0x8769, 4, 0xFFFFFFFF, b"\xff\xff\xff\xff")),
    "GPS as a number with sign": exif((0x8825, 9, 1, struct.pack("<i", -5))),
    "more entries promised than there are": exif()[:8] + struct.pack("<H", 500) + exif()[10:],
    "no next directory": exif()[:-4],
}


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
@pytest.mark.parametrize("block", ODD.values(), ids=ODD.keys())
def test_odd_tags_do_not_cost_the_image_or_its_orientation(tmp_path: Path, kind: str, block: bytes) -> None:
    if kind == "jpg":
        plain = encoded(PIXELS, "JPEG")
        payload = b"Exif\0\0" + block
        content = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + plain[2:]
    elif kind == "png":
        plain = encoded(PIXELS, "PNG")
        content = plain[:33] + chunk(b"eXIf", block) + plain[33:]
    else:
        content = encoded(PIXELS, "WEBP", lossless=True, exif=b"Exif\0\0" + block)
    path = tmp_path / f"a.{kind}"
    path.write_bytes(content)
    assert decode_image(path, LIMIT).shape == (30, 20, 3)


@pytest.mark.parametrize(
    "block",
    [b"", b"Exif\0\0", b"II*\0", b"garbage", b"II*\0\xff\xff\xff\xff", exif(orientation=0), exif(orientation=9)],
)
def test_an_orientation_that_cannot_be_read_is_none(tmp_path: Path, block: bytes) -> None:
    plain = encoded(PIXELS, "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(plain[:33] + chunk(b"eXIf", block) + plain[33:])
    np.testing.assert_array_equal(decode_image(path, LIMIT), PIXELS)


BOMB = zlib.compress(bytes(80_000_000))
CHUNKS = {
    "text that unpacks to 80 MB": chunk(b"zTXt", b"Comment\0\0" + BOMB),
    "a profile that unpacks to 80 MB": chunk(b"iCCP", b"p\0\0" + BOMB),
    "text that is damaged": chunk(b"tEXt", b"Comment\0hello", whole=False),
    "compressed text that is none": chunk(b"zTXt", b"Comment\0\0nothing"),
    "international text without its parts": chunk(b"iTXt", b"x"),
    "a density of two bytes": chunk(b"pHYs", b"\0\1"),
    "a density that is damaged": chunk(b"pHYs", bytes(9), whole=False),
    "a date that is none": chunk(b"tIME", b"\xff" * 7),
    "a palette hint of one byte": chunk(b"sPLT", b"x"),
    "gamma zero": chunk(b"gAMA", bytes(4)),
    "chromaticities of one byte": chunk(b"cHRM", b"1"),
    "EXIF that is damaged": chunk(b"eXIf", exif()[:9], whole=False),
    "an animation that is none": chunk(b"acTL", b""),
    "a chunk of nobody's": chunk(b"abCd", bytes(70_000)),
}


@pytest.mark.parametrize("added", CHUNKS.values(), ids=CHUNKS.keys())
def test_chunks_of_a_png_beside_its_pixels_do_not_cost_the_image(tmp_path: Path, added: bytes) -> None:
    plain = encoded(PIXELS, "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(plain[:33] + added + plain[33:])
    np.testing.assert_array_equal(decode_image(path, LIMIT), PIXELS)
    path.write_bytes(plain[:-12] + added + plain[-12:])
    np.testing.assert_array_equal(decode_image(path, LIMIT), PIXELS)
    grey = encoded(PIXELS[..., 0] // 128 * 255, "PNG")
    path.write_bytes(grey[:33] + added + grey[33:])
    assert decode_mask(path, (20, 30), LIMIT)[0].any()


SEGMENTS = {
    "a JFIF header of two bytes": b"\xff\xe0\x00\x04JF",
    "a JFIF header without its density": b"\xff\xe0\x00\x09JFIF\0\1\1",
    "a Photoshop block that is cut off": b"\xff\xed\x00\x15Photoshop 3.0\x008BIM\x03",
    "EXIF without a directory": b"\xff\xe1\x00\x0aExif\0\0II",
    "pictures of a camera that are none": b"\xff\xe2\x00\x0cMPF\0II*\0\xff\xff",
    "a profile of which a part is missing": b"\xff\xe2\x00\x14ICC_PROFILE\0\1\2pppp",
    "a comment that is no text": b"\xff\xfe\x00\x06\xff\x00\x80\x1b",
}


@pytest.mark.parametrize("added", SEGMENTS.values(), ids=SEGMENTS.keys())
def test_segments_of_a_jpeg_beside_its_pixels_do_not_cost_the_image(tmp_path: Path, added: bytes) -> None:
    plain = encoded(PIXELS, "JPEG", quality=95)
    expected = decode_image(plain, LIMIT)
    path = tmp_path / "a.jpg"
    for content in (plain[:2] + added + plain[2:], plain[:2] + added + plain[20:]):
        path.write_bytes(content)
        np.testing.assert_array_equal(decode_image(path, LIMIT), expected)


JPEGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "grey": {},
    "full colour resolution": {"subsampling": 0},
    "restart markers": {"restart_marker_blocks": 1},
    "CMYK": {},
    "optimised": {"optimize": True},
}


@pytest.mark.parametrize("kept", [0, 1])
@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_that_lacks_its_end_marker_alone_is_whole(tmp_path: Path, kind: str, kept: int) -> None:
    image = Image.fromarray(np.kron(PIXELS, np.ones((4, 4, 1), np.uint8)))
    image = image.convert({"grey": "L", "CMYK": "CMYK"}.get(kind, "RGB"))
    content = encoded(image, "JPEG", quality=90, **JPEGS[kind])
    path = tmp_path / "a.jpg"
    path.write_bytes(content[: len(content) - 2 + kept])
    np.testing.assert_array_equal(decode_image(path, LIMIT), decode_image(content, LIMIT))
    path.write_bytes(content[: len(content) * 9 // 10])
    with pytest.raises(DecodeError, match="truncated"):
        decode_image(path, LIMIT)


def profile(space: str = "RGB", primaries: str = "P3") -> bytes:
    """A minimal profile of gamma 2.2: wide primaries, or a grey axis."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    gamma = b"curv" + bytes(4) + struct.pack(">IHH", 1, 563, 0)
    white = b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249)
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", len(primaries) + 1) + primaries.encode() + bytes(80)}
    tags |= {b"wtpt": white, b"cprt": b"text" + bytes(4) + b"none\0"}
    if space == "GRAY":
        tags[b"kTRC"] = b"curv" + bytes(4) + struct.pack(">IHH", 1, 256, 0)
    else:
        colours = {
            b"r": (0.51512, 0.24120, -0.00105),
            b"g": (0.29198, 0.69225, 0.04189),
            b"b": (0.1571, 0.06657, 0.78407),
        }
        for name, xyz in colours.items():
            tags |= {name + b"XYZ": b"XYZ " + bytes(4) + fixed(*xyz), name + b"TRC": gamma}
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    kind = b"mntr" + space.encode().ljust(4) + b"XYZ "
    head = struct.pack(">I4sI", 128 + len(table + body), bytes(4), 0x02100000) + kind + bytes(12) + b"acsp"
    return (head + bytes(28) + fixed(0.9642, 1.0, 0.8249)).ljust(128, b"\0") + table + body


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_colours_are_converted_to_srgb_in_every_format(tmp_path: Path, kind: str) -> None:
    red = np.full((24, 24, 3), (234, 51, 35), np.uint8)  # the red of sRGB, in Display P3
    path = tmp_path / "a"
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}, "AVIF": {"quality": 100}}
    path.write_bytes(encoded(red, kind, icc_profile=profile(), **options.get(kind, {})))
    decoded = decode(path, LIMIT)
    assert np.abs(decoded.image.astype(int) - (255, 0, 0)).max() < 12
    assert decoded.notes == (CONVERTED,)


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "L", "1"])
def test_profiles_apply_to_every_kind_of_pixel(tmp_path: Path, mode: str) -> None:
    grey = mode in ("L", "LA", "1")
    source = np.full((8, 8, 3), 128 if grey else (234, 51, 35), np.uint8)
    image = Image.fromarray(source)
    image = image.quantize(2) if mode == "P" else image.convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(np.tile(np.uint8([0, 255]), (8, 4))))
    content = encoded(image, "PNG", icc_profile=profile("GRAY" if grey else "RGB"))
    decoded = decode(content, LIMIT)
    assert decoded.notes == (CONVERTED,)
    if mode in ("RGBA", "LA"):
        assert decoded.alpha is not None
        assert (decoded.image[:, ::2] == 255).all()
    if not grey:
        assert np.abs(decoded.image[:, 1::2].astype(int) - (255, 0, 0)).max() < 12


def test_a_profile_of_srgb_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    decoded = decode(encoded(PIXELS, "PNG", icc_profile=srgb), LIMIT)
    np.testing.assert_array_equal(decoded.image, PIXELS)
    assert decoded.notes == ()


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"not a profile",
        profile()[:100],
        profile()[:200],
        bytes(400),
        profile("GRAY"),
        profile()[:128] + b"\xff" * 300,
    ],
    ids=["empty", "text", "cut in its head", "cut in its table", "zeros", "of another colour space", "damaged table"],
)
def test_a_broken_profile_is_ignored_and_that_is_noted(broken: bytes) -> None:
    plain = encoded(PIXELS, "PNG")
    content = plain[:33] + chunk(b"iCCP", b"p\0\0" + zlib.compress(broken)) + plain[33:]
    decoded = decode(content, LIMIT)
    np.testing.assert_array_equal(decoded.image, PIXELS)
    assert decoded.notes == (BROKEN,)


def with_rgba(path: Path, alpha: np.ndarray) -> Path:
    path.write_bytes(encoded(np.dstack([PIXELS, alpha]), "PNG"))
    return path


def with_grey(path: Path, alpha: np.ndarray) -> Path:
    path.write_bytes(encoded(Image.fromarray(np.dstack([PIXELS[..., 0], alpha]), "LA"), "PNG"))
    return path


def with_webp(path: Path, alpha: np.ndarray) -> Path:
    path.write_bytes(encoded(np.dstack([PIXELS, alpha]), "WEBP", lossless=True, exact=True))
    return path


def with_tiff(path: Path, alpha: np.ndarray) -> Path:
    path.write_bytes(encoded(np.dstack([PIXELS, alpha]), "TIFF"))
    return path


def with_palette(path: Path, alpha: np.ndarray) -> Path:
    image = Image.fromarray((alpha // 128).astype(np.uint8), "P")
    image.putpalette([1, 2, 3, 200, 100, 50])
    path.write_bytes(encoded(image, "PNG", transparency=0))
    return path


def with_key_colour(path: Path, alpha: np.ndarray) -> Path:
    image = np.where(alpha[..., None] > 0, PIXELS | 1, np.uint8([4, 6, 8]))
    path.write_bytes(encoded(image.astype(np.uint8), "PNG", transparency=(4, 6, 8)))
    return path


@pytest.mark.parametrize("save", [with_rgba, with_grey, with_webp, with_tiff, with_palette, with_key_colour])
def test_opacity_is_kept_and_what_cannot_be_seen_at_all_is_refused(
    tmp_path: Path, save: Callable[[Path, np.ndarray], Path]
) -> None:
    alpha = np.zeros((20, 30), np.uint8)
    alpha[4:12, 5:20] = 255
    decoded = decode(save(tmp_path / "a", alpha), LIMIT)
    assert decoded.alpha is not None
    np.testing.assert_array_equal(decoded.alpha, alpha)
    assert (decoded.image[alpha == 0] == 255).all()
    with pytest.raises(DecodeError, match="no visible pixel"):
        decode(save(tmp_path / "b", alpha * 0), LIMIT)


def test_an_image_that_is_opaque_throughout_has_no_opacity(tmp_path: Path) -> None:
    assert decode(with_rgba(tmp_path / "a", np.full((20, 30), 255, np.uint8)), LIMIT).alpha is None
