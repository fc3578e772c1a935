from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from jointtask_object_extraction.data.decode import DecodeError, decode_image, squash
from jointtask_object_extraction.data.masks import ENCODINGS, decode_mask, squash_mask
from PIL import Image

LIMIT = 10_000_000
COLOUR = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
MASK = np.zeros((6, 9), dtype=bool)
MASK[1:4, 2:7] = True


def saved(path: Path, image: Image.Image | np.ndarray, **options: Any) -> Path:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(path, **options)
    return path


def smooth(height: int = 40, width: int = 60) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 4, y * 6, (x + y) * 2], axis=2).astype(np.uint8)


@pytest.mark.parametrize("suffix", ["bmp", "png", "tif", "tiff", "webp", "PNG"])
def test_lossless_formats_come_back_as_they_are(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    np.testing.assert_array_equal(decode_image(saved(tmp_path / f"a.{suffix}", COLOUR, **options), LIMIT), COLOUR)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_every_exif_orientation_comes_out_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = smooth()
    undo: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}}.get(suffix, {})
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](upright)))
    decoded = decode_image(saved(tmp_path / f"a.{suffix}", stored, exif=exif, **options), LIMIT)
    assert decoded.shape == upright.shape
    assert np.abs(decoded.astype(int) - upright).max() <= 6


def test_sixteen_bits_are_reduced_to_the_upper_eight(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 54).round().astype(np.uint16).reshape(6, 9)
    for suffix in ("png", "tif"):
        decoded = decode_image(saved(tmp_path / f"grey.{suffix}", grey), LIMIT)
        np.testing.assert_array_equal(decoded, np.repeat((grey >> 8)[..., None], 3, axis=2))
    colour = np.random.default_rng(0).integers(0, 65536, (6, 9, 3), dtype=np.uint16)
    for suffix in ("png", "tif"):
        cv2.imwrite(str(tmp_path / f"colour.{suffix}"), colour[..., ::-1])
        np.testing.assert_array_equal(decode_image(tmp_path / f"colour.{suffix}", LIMIT), colour >> 8)


def test_more_than_sixteen_bits_and_floats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="more than 16 bits"):
        decode_image(saved(tmp_path / "a.tif", np.full((2, 2), 70_000, dtype=np.int32)), LIMIT)
    with pytest.raises(DecodeError, match="type F"):
        decode_image(saved(tmp_path / "b.tif", np.zeros((2, 2), dtype=np.float32)), LIMIT)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_becomes_three_equal_channels(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(MASK.astype(np.uint8) * 255).convert(mode)
    decoded = decode_image(saved(tmp_path / "a.png", image), LIMIT)
    np.testing.assert_array_equal(decoded, np.repeat(MASK[..., None] * np.uint8(255), 3, axis=2))


def test_a_cmyk_jpeg_has_the_colours_that_were_put_in(tmp_path: Path) -> None:
    image = Image.fromarray(smooth())
    decoded = decode_image(saved(tmp_path / "a.jpg", image.convert("CMYK"), quality=100, subsampling=0), LIMIT)
    assert np.abs(decoded.astype(int) - smooth()).max() <= 8


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    opacity = np.where(MASK, 255, 0).astype(np.uint8)
    expected = np.where(MASK[..., None], COLOUR, 255)
    np.testing.assert_array_equal(
        decode_image(saved(tmp_path / "a.png", np.dstack([COLOUR, opacity])), LIMIT), expected
    )
    grey = np.dstack([COLOUR[..., 0], opacity])
    np.testing.assert_array_equal(
        decode_image(saved(tmp_path / "b.png", Image.fromarray(grey, "LA")), LIMIT),
        np.where(MASK, COLOUR[..., 0], 255)[..., None].repeat(3, axis=2),
    )
    half = np.dstack([np.zeros_like(COLOUR), np.full((6, 9), 128, dtype=np.uint8)])
    assert set(np.unique(decode_image(saved(tmp_path / "c.png", half), LIMIT))) == {127}


def test_a_palette_gives_its_colours_and_its_transparent_entry_white(tmp_path: Path) -> None:
    image = Image.fromarray(MASK.astype(np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    decoded = decode_image(saved(tmp_path / "a.png", image), LIMIT)
    np.testing.assert_array_equal(decoded, np.where(MASK[..., None], [200, 100, 50], [10, 20, 30]))
    decoded = decode_image(saved(tmp_path / "b.png", image, transparency=0), LIMIT)
    np.testing.assert_array_equal(decoded, np.where(MASK[..., None], [200, 100, 50], 255))


def test_the_first_of_several_frames_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (9, 6), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.tif", "a.webp"):
        decoded = decode_image(saved(tmp_path / name, frames[0], save_all=True, append_images=frames[1:]), LIMIT)
        assert decoded[..., 0].min() > 200
        assert decoded[..., 2].max() < 50
    frames[0].save(tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert decode_image(tmp_path / "phone.jpg", LIMIT)[..., 0].min() > 200


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_truncated_jpeg_is_an_error(tmp_path: Path, progressive: bool, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path / "a.jpg", noise, progressive=progressive)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DecodeError, match="truncated") as caught:
        decode_image(path, LIMIT)
    assert caught.value.problem == "cannot be read"
    assert str(path) in caught.value.message


def test_a_truncated_png_is_an_error(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path / "a.png", noise)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DecodeError, match="cannot be read"):
        decode_image(path, LIMIT)


@pytest.mark.parametrize("content", [b"", b"just some text\n", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_a_text_file_named_png_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DecodeError, match="not an image"):
        decode_image(path, LIMIT)


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="No such file"):
        decode_image(tmp_path / "a.png", LIMIT)
    with pytest.raises(DecodeError, match="cannot be read"):
        decode_image(tmp_path, LIMIT)


def test_an_image_whose_bytes_are_damaged_gives_an_image_or_a_clear_error(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("a.png", "a.jpg", "a.tif", "a.gif", "a.webp", "a.bmp"):
        content = saved(tmp_path / name, smooth()).read_bytes()
        for _ in range(60):
            damaged = bytearray(content)
            damaged[random.integers(min(400, len(content)))] = random.integers(256)
            (tmp_path / name).write_bytes(damaged)
            try:
                decoded = decode_image(tmp_path / name, LIMIT)
            except DecodeError:
                continue
            assert decoded.ndim == 3


def png_header(side: int, bits: int, colour: int) -> bytes:
    """Return a PNG that promises side x side pixels and holds none."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))


def test_a_huge_image_is_refused_from_its_header_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(20_000, 8, 2))
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DecodeError, match="20000 x 20000 pixels, and the limit is 100,000,000") as caught:
        decode_image(path, 100_000_000)
    assert caught.value.problem == "too large"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_the_limit_can_be_raised_above_pillows(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png_header(14_000, 1, 0))
    with pytest.raises(DecodeError, match="truncated"):
        decode_image(path, 200_000_000)


def grey(values: dict[bool, int], dtype: type = np.uint8) -> Image.Image:
    return Image.fromarray(np.where(MASK, values[True], values[False]).astype(dtype))


def coloured(entries: list[int]) -> Image.Image:
    image = Image.fromarray(np.where(MASK, 1, 0).astype(np.uint8), "P")
    image.putpalette(entries)
    return image


def labels() -> Image.Image:
    index = MASK.astype(np.uint8)
    index[2, 3] = 255
    image = Image.fromarray(index, "P")
    image.putpalette([0, 0, 0, 128, 0, 0] + [224, 224, 192] * 254)
    return image


SOFT = np.where(MASK, 128, 127).astype(np.uint8)
SOFT[0, 0] = 3


@pytest.mark.parametrize(
    ("stored", "encoding"),
    [
        (grey({True: 1, False: 0}), "0/1"),
        (grey({True: 255, False: 0}), "0/255"),
        (grey({True: 255, False: 0}).convert("1"), "0/255"),
        (grey({True: 255, False: 0}).convert("RGB"), "0/255"),
        (grey({True: 255, False: 0}).convert("RGBA"), "0/255"),
        (grey({True: 38, False: 0}), "two values"),
        (grey({True: 65535, False: 0}, np.uint16), "two values"),
        (grey({True: 1, False: 0}, np.uint16), "0/1"),
        (Image.fromarray(SOFT), "grey"),
        (Image.fromarray(SOFT.astype(np.uint16) << 8), "grey"),
        (coloured([0, 0, 0, 128, 0, 0]), "palette"),
        (coloured([9, 90, 9, 128, 0, 0]), "palette"),
        (coloured([0, 0, 0, 255, 255, 255]), "0/255"),
        (coloured([0, 0, 0, 128, 64, 0]).convert("RGB"), "colour"),
        (labels(), "palette"),
        (Image.fromarray(np.dstack([np.zeros((6, 9, 3), np.uint8), MASK * np.uint8(255)])), "alpha"),
        (Image.fromarray(np.dstack([COLOUR, SOFT])), "alpha"),
        (Image.fromarray(np.dstack([COLOUR[..., 0], MASK * np.uint8(255)]), "LA"), "alpha"),
    ],
)
def test_masks_are_recognised(tmp_path: Path, stored: Image.Image, encoding: str) -> None:
    mask, decided = decode_mask(saved(tmp_path / "a.png", stored), (6, 9), LIMIT)
    assert decided == encoding
    assert decided in ENCODINGS
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, MASK)


def test_a_black_and_white_palette_goes_by_its_colours_not_by_its_order(tmp_path: Path) -> None:
    image = Image.fromarray(np.where(MASK, 0, 1).astype(np.uint8), "P")
    image.putpalette([255, 255, 255, 0, 0, 0])
    mask, _ = decode_mask(saved(tmp_path / "a.png", image), (6, 9), LIMIT)
    np.testing.assert_array_equal(mask, MASK)


@pytest.mark.parametrize(("value", "expected"), [(0, False), (1, True), (255, True)])
def test_masks_of_one_value(tmp_path: Path, value: int, expected: bool) -> None:
    mask, _ = decode_mask(saved(tmp_path / "a.png", np.full((6, 9), value, np.uint8)), (6, 9), LIMIT)
    assert (mask == expected).all()


def test_masks_that_could_mean_anything_are_refused(tmp_path: Path) -> None:
    values = np.arange(54, dtype=np.uint8).reshape(6, 9)
    with pytest.raises(DecodeError, match="54 values from 0 to 53"):
        decode_mask(saved(tmp_path / "a.png", values), (6, 9), LIMIT)
    noise = np.random.default_rng(0).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    with pytest.raises(DecodeError, match="photograph"):
        decode_mask(saved(tmp_path / "b.png", noise), (30, 30), LIMIT)


def test_a_mask_of_another_size_names_both(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="the mask is 9 x 6 pixels, its image 6 x 9"):
        decode_mask(saved(tmp_path / "a.png", grey({True: 255, False: 0})), (9, 6), LIMIT)


def test_an_image_is_averaged_over_areas_where_it_shrinks() -> None:
    random = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    exact = random.reshape(8, 2, 8, 3, 3).mean(axis=(1, 3))
    assert np.abs(squash(random, 8) - exact).max() <= 0.5 + 1e-6
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (5, 500))  # grows down, shrinks across
    assert np.abs(squash(stripes, 100).astype(int) - 127.5).max() <= 0.5
    assert squash(stripes, 100).shape == (100, 100)


@pytest.mark.parametrize("shape", [(1000, 700), (20, 900), (100, 30), (8, 8), (224, 224)])
def test_a_mask_never_vanishes_and_never_appears(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    for _ in range(10):
        mask = np.zeros(shape, dtype=bool)
        assert not squash_mask(mask).any()
        mask[random.integers(shape[0]), random.integers(shape[1])] = True
        squashed = squash_mask(mask)
        assert squashed.shape == (224, 224)
        y, x = np.argwhere(mask)[0]
        places = np.argwhere(squashed)
        assert len(places) > 0
        cell = np.maximum(np.array(shape) / 224, 1)
        centres = (places + 0.5) * np.array(shape) / 224
        assert (np.abs(centres - [y + 0.5, x + 0.5]) <= cell + 1e-9).all()


def test_a_mask_keeps_its_area() -> None:
    mask = np.zeros((900, 600), dtype=bool)
    mask[100:500, 50:450] = True
    assert abs(squash_mask(mask).mean() - mask.mean()) < 0.005


def test_an_image_and_its_mask_are_turned_alike(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = decode_image(saved(tmp_path / "a.png", COLOUR, exif=exif), LIMIT)
    mask, _ = decode_mask(saved(tmp_path / "b.png", grey({True: 255, False: 0}), exif=exif), image.shape[:2], LIMIT)
    np.testing.assert_array_equal(mask, np.rot90(MASK, -1))
