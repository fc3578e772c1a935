"""Cut-outs as they are shown: backgrounds, crops, sizes and formats."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jointtask_object_extraction import Cutout, Style
from jointtask_object_extraction.extract.backdrop import COLOURS, parse_background
from jointtask_object_extraction.extract.style import compose, encode_picture
from jointtask_object_extraction.photograph import Photograph
from numpy.typing import NDArray
from PIL import Image

from jointtask.api import ConfigError, DataError


def block(height: int = 60, width: int = 80) -> Cutout:
    """A red block at x 20 to 50, y 10 to 40 on green ground."""
    image = np.full((height, width, 3), (20, 160, 30), np.uint8)
    image[10:40, 20:50] = (220, 10, 20)
    probability = np.zeros((height, width), np.float32)
    probability[10:40, 20:50] = 1
    return Cutout(Photograph("block.png", image, None), probability, 1.0)


@pytest.mark.parametrize(
    ("background", "colour"),
    [*COLOURS.items(), ("#ffcc00", (255, 204, 0)), ("#fc0", (255, 204, 0)), ("#00B140", (0, 177, 64))],
)
def test_plain_backgrounds(background: str, colour: tuple[int, int, int]) -> None:
    cutout = block()
    shown = compose(cutout, Style(background=parse_background(background)))
    assert shown.shape == (60, 80, 3)
    assert bool((shown[cutout.alpha == 0] == colour).all())
    assert bool((shown[20:30, 30:40] == (220, 10, 20)).all())


def test_the_blurred_background_has_nothing_of_the_object() -> None:
    cutout = block()
    shown = compose(cutout, Style(background=parse_background("blur")))
    assert np.abs(shown[cutout.alpha == 0].astype(int) - (20, 160, 30)).max() <= 2


@pytest.mark.parametrize("size", [(80, 60), (400, 60), (60, 400), (7, 5), (1, 1)])
def test_a_picture_covers_the_background(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, (10, 20, 200)).save(tmp_path / "beach.png")
    cutout = block()
    shown = compose(cutout, Style(background=parse_background(str(tmp_path / "beach.png"))))
    assert bool((shown[cutout.alpha == 0] == (10, 20, 200)).all())


@pytest.mark.parametrize("background", ["", "#", "#12345", "#ggg", "transparent", "no/such/beach.jpg"])
def test_what_is_no_background_is_refused(background: str) -> None:
    with pytest.raises(ConfigError):
        parse_background(background)


def test_no_background_is_transparency() -> None:
    assert parse_background("none") is None
    shown = compose(block(), Style())
    assert shown.shape == (60, 80, 4)
    assert not shown[shown[..., 3] == 0].any()


@pytest.mark.parametrize(("margin", "shape"), [(0.0, (30, 30)), (0.1, (36, 36)), (1.0, (60, 80))])
def test_crops_keep_their_margin_inside_the_photograph(margin: float, shape: tuple[int, int]) -> None:
    assert compose(block(), Style(crop=True, margin=margin)).shape[:2] == shape


def test_a_crop_without_an_object_is_the_whole() -> None:
    nothing = Cutout(block().photograph, np.zeros((60, 80), np.float32), 0.0, "no object was found")
    assert compose(nothing, Style(crop=True)).shape[:2] == (60, 80)


@pytest.mark.parametrize(
    ("max_side", "shape"), [(0, (60, 80)), (40, (30, 40)), (80, (60, 80)), (500, (60, 80)), (1, (1, 1))]
)
def test_pictures_are_made_smaller_and_never_larger(max_side: int, shape: tuple[int, int]) -> None:
    for background in (None, parse_background("white")):
        assert compose(block(), Style(background=background, max_side=max_side)).shape[:2] == shape


def test_nothing_bleeds_into_small_cutouts() -> None:
    small = compose(block(), Style(max_side=27))
    assert bool((small[small[..., 3] > 8][:, :3].astype(int) - (220, 10, 20) <= 3).all())


@pytest.mark.parametrize("name", ["cut.png", "cut.PNG", "cut.webp", "cut.jpg", "cut.jpeg"])
def test_files_are_what_their_names_say(tmp_path: Path, name: str) -> None:
    jpeg = ".j" in name
    block().save(tmp_path / name, Style(background=parse_background("white") if jpeg else None))
    with Image.open(tmp_path / name) as image:
        assert image.format == {"p": "PNG", "P": "PNG", "w": "WEBP", "j": "JPEG"}[name[4]]
        assert image.mode == ("RGB" if jpeg else "RGBA")
        pixel: Any = image.convert("RGB").getpixel((35, 25))
    assert np.abs(np.array(pixel) - (220, 10, 20)).max() < 12


@pytest.mark.parametrize("name", ["cut", "cut.gif", "cut.jpg", "cut.png.exe"])
def test_other_names_are_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        block().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("suffix", "shape"), [(".jpg", (1, 65_501)), (".webp", (16_384, 1)), (".webp", (1, 20_000, 4))]
)
def test_what_a_format_cannot_hold_is_said_in_our_words(
    suffix: str, shape: tuple[int, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match="cannot hold"):
        encode_picture(suffix, np.zeros(shape, np.uint8))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("suffix", "shape"), [(".jpg", (2, 65_500, 3)), (".webp", (1, 16_383, 4)), (".png", (1, 70_000, 4))]
)
def test_the_limits_are_those_of_the_formats(suffix: str, shape: tuple[int, ...]) -> None:
    picture: NDArray[np.uint8] = np.zeros(shape, np.uint8)
    Image.open(io.BytesIO(encode_picture(suffix, picture))).verify()
