"""`Cutter`: what it takes, what it gives, and that it may be shared."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from jointtask_object_extraction import Cutout, Cutter
from jointtask_object_extraction.extract.model import FunctionModel
from jointtask_object_extraction.photograph import Extraction, Photograph
from numpy.typing import NDArray
from PIL import Image

from jointtask.api import ConfigError, DataError, UserError

COFFEE: NDArray[np.uint8] = skimage.data.coffee()


@pytest.fixture(scope="module")
def cutter() -> Cutter:
    return Cutter(device="cpu")


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def red(photograph: Photograph) -> Extraction:
    """Finds what is red, with a probability of 0.9."""
    return Extraction(np.where(photograph.image[..., 0] > 128, 0.9, 0.1).astype(np.float32), None)


def in_png(image: NDArray[Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", **options)
    return stream.getvalue()


def test_three_lines(cutter: Cutter, tmp_path: Path) -> None:
    result = cutter(COFFEE)
    height, width = COFFEE.shape[:2]
    assert result.probability.shape == result.alpha.shape == result.uncertainty.shape == (height, width)
    assert result.mask.dtype == np.bool_
    assert result.cutout.shape == (height, width, 4)
    assert np.array_equal(result.cutout[..., 3], np.rint(255 * result.alpha))
    assert result.box is not None
    x1, y1, x2, y2 = result.box
    assert result.mask[y1:y2, x1:x2].sum() == result.mask.sum() > 10_000
    assert 0.8 < result.score <= 1
    result.save(tmp_path / "cut.png")
    with Image.open(tmp_path / "cut.png") as saved:
        assert np.array_equal(np.asarray(saved), result.cutout)


def as_path(folder: Path) -> Path:
    path = folder / "coffee.png"
    path.write_bytes(in_png(COFFEE))
    return path


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": as_path,
    "text path": lambda folder: str(as_path(folder)),
    "bytes": lambda folder: in_png(COFFEE),
    "array": lambda folder: COFFEE,
    "opaque array": lambda folder: np.dstack([COFFEE, np.full(COFFEE.shape[:2], 255, np.uint8)]),
    "array that is not contiguous": lambda folder: np.asfortranarray(COFFEE),
    "picture": lambda folder: Image.fromarray(COFFEE),
    "photograph": lambda folder: Photograph("coffee", COFFEE, None),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same(source: str, tmp_path: Path) -> None:
    result = Cutter(FunctionModel(red, "red"))(SOURCES[source](tmp_path))
    assert np.array_equal(result.photograph.image, COFFEE)
    assert np.array_equal(result.probability, red(Photograph("", COFFEE, None)).probability)


def test_a_picture_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.open(io.BytesIO(in_png(COFFEE, exif=exif)))
    assert Cutter(FunctionModel(red, "red"))(stored).mask.shape == COFFEE.shape[1::-1]


def test_grey_arrays_are_photographs() -> None:
    result = Cutter(FunctionModel(red, "red"))(skimage.data.camera())
    assert result.photograph.image.shape == (512, 512, 3)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.int64),
        np.zeros((40, 50, 3), np.uint8),
        np.dstack([COFFEE[:9, :9], np.zeros((9, 9), np.uint8)]),
    ],
)
def test_what_is_no_photograph_is_refused(array: NDArray[Any]) -> None:
    with pytest.raises(DataError):
        Cutter(FunctionModel(red, "red"), max_pixels=1999)(array)


@pytest.mark.parametrize("source", [b"", b"no image", "missing.png", in_png(COFFEE)[:2000]])
def test_what_cannot_be_read_is_a_user_error(source: Any) -> None:
    with pytest.raises(UserError):
        Cutter(FunctionModel(red, "red"))(source)


BLANKS: dict[str, NDArray[np.uint8]] = {
    "white": np.full((60, 80, 3), 255, np.uint8),
    "black": np.zeros((60, 80, 3), np.uint8),
    "one colour": np.full((60, 80, 3), (200, 30, 40), np.uint8),
    "grey": np.full((60, 80), 128, np.uint8),
    "sensor noise": np.random.default_rng(0).integers(120, 128, (60, 80, 3)).astype(np.uint8),
    "one pixel": np.full((1, 1, 3), 200, np.uint8),
}


@pytest.mark.parametrize("name", BLANKS)
def test_nothing_is_cut_out_of_a_blank_image_and_it_is_said(cutter: Cutter, name: str) -> None:
    for result in (cutter(BLANKS[name]), *cutter.objects(BLANKS[name], 3)):
        assert not result.mask.any()
        assert result.box is None
        assert result.score == 0
        assert result.note == "it is of one colour"


def test_transparency_of_the_input_multiplies() -> None:
    image = np.zeros((20, 20, 4), np.uint8)
    image[:, :10] = (255, 0, 0, 255)
    image[:, 5:10, 3] = 128
    image[:, 10:] = (0, 0, 200, 255)
    result = Cutter(FunctionModel(red, "red"))(image)
    plain = Cutter(FunctionModel(red, "red"))(result.photograph.image)
    assert np.allclose(result.alpha[:, 5:10], plain.alpha[:, 5:10] * (128 / 255), atol=1e-6)
    assert np.array_equal(result.alpha[:, :5], plain.alpha[:, :5])
    assert not result.alpha[:, 10:].any()


def test_many_agree_with_one_by_one(cutter: Cutter) -> None:
    images = [COFFEE, skimage.data.astronaut(), BLANKS["white"], skimage.data.chelsea()]
    together = list(cutter.many(iter(images), batch_size=3))
    assert [result.note for result in together] == ["", "", "it is of one colour", ""]
    for image, result in zip(images, together, strict=True):
        alone = cutter(image)
        assert np.abs(np.rint(255 * alone.probability) - np.rint(255 * result.probability)).max() <= 1
        assert alone.note == result.note


def test_many_reads_only_what_it_needs(cutter: Cutter) -> None:
    read: list[int] = []

    def images() -> Any:
        for n in range(10):
            read.append(n)
            yield COFFEE

    next(cutter.many(images(), batch_size=2))
    assert read == [0, 1]
    with pytest.raises(ConfigError):
        next(cutter.many([COFFEE], batch_size=0))


def test_one_may_be_shared_by_threads(cutter: Cutter) -> None:
    images = [COFFEE, skimage.data.astronaut(), skimage.data.chelsea()] * 4
    alone = [cutter(image).probability for image in images[:3]] * 4
    with ThreadPoolExecutor(4) as pool:
        shared = list(pool.map(lambda image: cutter(image).probability, images))
    assert all(np.array_equal(a, b) for a, b in zip(alone, shared, strict=True))


def test_a_box_takes_the_place_of_the_predicted_one(cutter: Cutter) -> None:
    whole = cutter(COFFEE)
    assert whole.box is not None
    assert iou(cutter(COFFEE, box=whole.box).mask, whole.mask) > 0.9
    spoon = cutter(COFFEE, box=(30, 150, 200, 330))
    assert spoon.box is not None
    assert iou(spoon.mask, whole.mask) < 0.8


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (9, 5, 5, 9), (700, 5, 800, 9), (-9, -9, 0, 0), (5, 500, 9, 600)])
def test_a_box_that_holds_nothing_is_refused(cutter: Cutter, box: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="holds nothing of"):
        cutter(COFFEE, box=box)


def two_discs() -> tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]:
    """A large and a small disc on structured ground, and their masks."""
    rows, columns = np.indices((240, 320))
    image = np.full((240, 320, 3), (70, 110, 70), np.uint8)
    image += (8 * np.sin(rows[..., None] / 9) * np.cos(columns[..., None] / 13) + 8).astype(np.uint8)
    masks = [np.hypot(rows - 120, columns - 95) < 60, np.hypot(rows - 110, columns - 250) < 36]
    for mask, colour in zip(masks, ((210, 60, 40), (60, 70, 220)), strict=True):
        image[mask] = colour
    return image, masks


def test_a_point_picks_the_object_under_it(cutter: Cutter) -> None:
    image, masks = two_discs()
    for mask, point in zip(masks, ((95, 120), (250, 110)), strict=True):
        assert iou(cutter(image, point=point).mask, mask) > 0.8


@pytest.mark.parametrize("point", [(-1, 5), (5, -1), (320, 5), (5, 240), (float("nan"), 5)])
def test_a_point_outside_is_refused(cutter: Cutter, point: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="outside"):
        cutter(two_discs()[0], point=point)
    with pytest.raises(ConfigError, match="not both"):
        cutter(COFFEE, point=(5, 5), box=(1, 1, 9, 9))


def test_several_objects_are_found_one_after_the_other(cutter: Cutter) -> None:
    image, masks = two_discs()
    results = cutter.objects(image, 4)
    assert 2 <= len(results) <= 4
    assert sum(result.probability >= 0.5 for result in results).max() == 1
    union = np.logical_or.reduce([result.mask for result in results])
    assert iou(union, masks[0] | masks[1]) > 0.8
    with pytest.raises(ConfigError):
        cutter.objects(image, 0)


def test_refined_masks_of_objects_that_touch_do_not_cross() -> None:
    image = cv2.blur(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8), (5, 5))
    bright = image.mean(axis=2)
    first = np.where(bright > np.quantile(bright, 0.6), np.float32(0.6), np.float32(0.4))
    maps = iter((first, np.full_like(first, 0.9)))  # the second object is all that the first is not

    def predict(photograph: Photograph) -> Extraction:
        return Extraction(next(maps), None)

    results = Cutter(FunctionModel(predict, "maps")).objects(image, 2)
    assert len(results) == 2
    assert sum(result.mask.astype(int) for result in results).max() == 1
    assert sum(result.alpha for result in results).max() < 1.001


def test_drawn_boxes_judge_the_result_and_do_not_change_it(cutter: Cutter) -> None:
    drawn = Cutter(device="cpu", draws=6)
    image = skimage.data.rocket()
    plain, judged = cutter(image), drawn(image)
    assert np.array_equal(plain.probability, judged.probability)
    assert judged.posterior is not None
    assert 0 < judged.score < plain.score
    assert judged.uncertainty.mean() > plain.uncertainty.mean()
    assert np.array_equal(judged.uncertainty, drawn(image).uncertainty)
    assert drawn(COFFEE).score > judged.score
    with pytest.raises(ConfigError):
        Cutter(draws=-1)


@pytest.mark.parametrize("given", [{"box": (1, 1, 9, 9)}, {"point": (1, 1)}])
def test_other_predictors_say_what_they_cannot(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="'red' takes no boxes"):
        Cutter(FunctionModel(lambda p: Extraction(np.zeros(p.image.shape[:2], np.float32), None), "red"))(
            COFFEE, **given
        )
    with pytest.raises(ConfigError, match="'red' has no posterior"):
        Cutter(FunctionModel(red, "red"), draws=3)(COFFEE)


def test_results_cannot_be_changed_by_accident(cutter: Cutter) -> None:
    result: Cutout = cutter(COFFEE)
    with pytest.raises(ValueError, match="read-only"):
        result.probability[:] = 0


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, jointtask_object_extraction as j; assert 'Cutter' in dir(j) or 'Cutter' in j.__all__;"
        "print([name for name in ('torch', 'cv2', 'skimage', 'scipy', 'matplotlib', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
