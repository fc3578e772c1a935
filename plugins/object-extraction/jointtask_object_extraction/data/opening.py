"""How a file is opened: by its content, with its metadata aside, and refused where pixels are missing."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from jointtask.api import DataError
from jointtask_object_extraction.data import jpeg, png
from jointtask_object_extraction.data.formats import FORMATS, HEIF_BRANDS, HEIF_REMEDY, can_read_heif
from jointtask_object_extraction.data.members import Member
from jointtask_object_extraction.data.names import shown
from jointtask_object_extraction.data.orientation import upright

__all__ = ["SIXTEEN_BITS", "DecodeError", "name_of", "open_image"]

SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes of grey images of more than 8 bits."""

_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", *SIXTEEN_BITS)

# Pillow's limit is one for the process, and a warning at first; `open_image` checks its own before it decodes.
Image.MAX_IMAGE_PIXELS = None


class DecodeError(DataError):
    """A file that is no usable image or mask.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    problem : str
        Name of the kind of fault, the same for all faults of that kind.
    """

    def __init__(self, path: Path, problem: str, *, cause: str = "", remedy: str = "") -> None:
        super().__init__(f"{shown(path)}: {problem}", cause=cause, remedy=remedy)
        self.path = path
        self.problem = problem


def open_image(source: Path | Member | bytes, max_pixels: int) -> Image.Image:
    """Decode a file and turn it upright, in the pixel type that it has.

    Parameters
    ----------
    source : pathlib.Path, Member or bytes
        The file, or its content.
    max_pixels : int
        Largest number of pixels; a larger image is refused before any of them is decoded.

    Returns
    -------
    PIL.Image.Image
        Decoded in full, of a mode that `decode` can convert; its colour profile in ``info["icc_profile"]``.

    Raises
    ------
    DecodeError
        As `decode`.
    """
    path = name_of(source)
    try:
        with _opened(source) as file:
            image = upright(_load(path, file, max_pixels))
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


def name_of(source: Path | Member | bytes) -> Path:
    """Return what messages call an image."""
    return Path("the image") if isinstance(source, bytes) else Path(str(source))


@contextmanager
def _opened(source: Path | Member | bytes) -> Iterator[BinaryIO]:
    if not isinstance(source, Path):
        yield io.BytesIO(source if isinstance(source, bytes) else source.read())
        return
    # opening a pipe would wait for its writer, and a device may never end
    if source.exists() and not source.is_file():
        what = "it is a folder" if source.is_dir() else "it is no regular file"
        raise DecodeError(source, "cannot be read", cause=what)
    with source.open("rb") as file:
        yield file


def _load(path: Path, file: BinaryIO, max_pixels: int) -> Image.Image:
    head = file.read(12)
    file.seek(0)
    if head.startswith(png.PNG):
        return _load_png(path, file, max_pixels)
    if head.startswith(jpeg.JPEG_START):
        return _load_jpeg(path, file, max_pixels)
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
        return _load_heif(path, file, max_pixels)
    return _pixels(path, file, max_pixels)


def _pixels(path: Path, file: BinaryIO, max_pixels: int, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Open a file with Pillow, see that it is not too large, and decode it."""
    with Image.open(file, formats=formats) as image:
        _require_size(path, *image.size, max_pixels)
        image.load()
        return image


def _require_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise DecodeError(
            path,
            "too large",
            cause=f"{width} x {height} pixels, and the limit is {max_pixels:,}",
            remedy="make the image smaller, or raise the limit",
        )


def _load_png(path: Path, file: BinaryIO, max_pixels: int) -> Image.Image:
    head = file.read(24)
    file.seek(0)
    if len(head) == 24:
        width, height = struct.unpack(">II", head[16:])
        _require_size(path, width, height, max_pixels)
    parts = png.read_png(file)
    image = _pixels(path, io.BytesIO(parts.content), max_pixels, ("PNG",))
    if missing := png.missing_rows(parts.content, image):
        raise DecodeError(path, "cannot be read", cause=f"image file is truncated: {missing}")
    image.info["exif"] = parts.exif
    if parts.profile is not None:
        image.info["icc_profile"] = parts.profile
    return image


def _load_jpeg(path: Path, file: BinaryIO, max_pixels: int) -> Image.Image:
    def decode(content: bytes) -> Image.Image:
        return _pixels(path, io.BytesIO(content), max_pixels, ("JPEG",))

    parts = jpeg.read_jpeg(file.read())
    try:
        image = decode(parts.content)
    except UnidentifiedImageError:
        raise
    except OSError:
        if not jpeg.has_all_blocks(parts.content, decode):
            raise
        image = decode(jpeg.with_end(parts.content))
    if jpeg.looks_cut_off(image) and not jpeg.has_all_blocks(parts.content, decode):
        raise DecodeError(path, "cannot be read", cause="image file is truncated: it has data for a part of its rows")
    image.info.update(exif=parts.exif, xmp=parts.xmp)
    if parts.profile is not None:
        image.info["icc_profile"] = parts.profile
    return image


def _load_heif(path: Path, file: BinaryIO, max_pixels: int) -> Image.Image:
    if not can_read_heif():
        raise DecodeError(path, "cannot be read", cause="it is a HEIF photograph", remedy=HEIF_REMEDY)
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return _pixels(path, file, max_pixels, ("HEIF",))
