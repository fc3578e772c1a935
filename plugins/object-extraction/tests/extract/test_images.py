"""Images and folders of images, cut out into files."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from jointtask_object_extraction.extract.cutter import Cutter
from jointtask_object_extraction.extract.images import Extractor, Summary, extract_images
from jointtask_object_extraction.extract.inputs import Plan, plan_extraction
from jointtask_object_extraction.extract.model import FunctionModel
from jointtask_object_extraction.extract.outputs import DEFAULT, ENDINGS, Outputs
from jointtask_object_extraction.photograph import Extraction, Photograph
from PIL import Image

from jointtask.api import ConfigError
from jointtask.tools import SilentProgress

sys.path.insert(0, str(Path(__file__).parents[1]))

from pictures import content, failing, names, picture, pixels, save, size  # beside this folder
from red_predictor import red_object

ALL = DEFAULT
SUFFIXES = {**ENDINGS, "cutouts": "-cutout.png"}
Predict = Callable[[Photograph], Extraction]
LIMIT = 1_000_000


def run(
    given: Sequence[Path],
    to: Path,
    *,
    kinds: Sequence[str] = ALL,
    overwrite: bool = False,
    predict: Predict = red_object,
    max_pixels: int = LIMIT,
) -> Summary:
    outputs = Outputs(tuple(kinds))
    jobs = plan(given, to, kinds, overwrite=overwrite).jobs
    to.mkdir(parents=True, exist_ok=True)
    cutter = Cutter(FunctionModel(predict, "red"), max_pixels=max_pixels)
    extractor = Extractor(cutter, to, outputs, overwrite=overwrite)
    return extract_images(jobs, lambda threads: extractor, progress=SilentProgress())


def plan(given: Sequence[Path], to: Path, kinds: Sequence[str] = ALL, *, overwrite: bool = False) -> Plan:
    return plan_extraction(given, to, Outputs(tuple(kinds)), existing="replace" if overwrite else "refuse")


def test_all_outputs_of_one_image(tmp_path: Path) -> None:
    image = picture()
    summary = run([save(tmp_path / "cat.png", image)], tmp_path / "out")
    assert (summary.done, summary.failures) == (1, ())
    assert names(tmp_path / "out") == ["cat-box.json", "cat-cutout.png", "cat-mask.png", "cat-overlay.jpg"]
    mask = pixels(tmp_path / "out/cat-mask.png")
    assert mask.shape == (20, 30)
    assert mask.dtype == np.uint8
    assert mask[5, 5] == 255
    assert mask[15, 20] == 0
    cutout = pixels(tmp_path / "out/cat-cutout.png")
    assert np.array_equal(cutout[..., 3], mask)
    assert np.array_equal(cutout[mask > 0][:, :3], image[mask > 0])
    assert not cutout[mask == 0].any()
    assert json.loads((tmp_path / "out/cat-box.json").read_text()) == {
        "image": "cat.png",
        "size": [30, 20],
        "box": [3, 2, 15, 10],
        "score": 0.9,
    }
    assert size(tmp_path / "out/cat-overlay.jpg") == (30, 20)


def test_an_image_without_an_object_writes_null(tmp_path: Path) -> None:
    nothing = Extraction(np.zeros((20, 30), dtype=np.float32), None)
    summary = run([save(tmp_path / "cat.png")], tmp_path / "out", predict=lambda p: nothing)
    assert json.loads((tmp_path / "out/cat-box.json").read_text())["box"] is None
    assert [scored.note for scored in summary.scored] == ["no object was found"]


def test_folders_are_mirrored_and_what_is_no_image_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    save(folder / "a.jpg")
    save(folder / "deep/er/b.PNG")
    save(folder / "deep/c.d.webp")
    save(folder / ".hidden/x.png")
    save(folder / "._a.jpg", format="JPEG")
    (folder / "notes.txt").write_text("no image")
    planned = plan([folder], tmp_path / "out")
    assert [job.name.as_posix() for job in planned.jobs] == ["a", "deep/c.d", "deep/er/b"]
    assert planned.left_out == (f"{folder}: left out: 1 .txt, 2 hidden",)
    assert run([folder], tmp_path / "out", kinds=["masks"]).done == 3
    assert names(tmp_path / "out") == ["a-mask.png", "deep/c.d-mask.png", "deep/er/b-mask.png"]


def test_an_image_given_twice_is_done_once(tmp_path: Path) -> None:
    path = save(tmp_path / "in/a.jpg")
    assert run([path, tmp_path / "in", path], tmp_path / "out").done == 1


def test_inputs_that_collide_fail_and_the_others_are_done(tmp_path: Path) -> None:
    first, second = save(tmp_path / "in/a.jpg"), save(tmp_path / "in/a.png")
    save(tmp_path / "in/b.png")
    planned = plan([tmp_path / "in"], tmp_path / "out", ALL, overwrite=True)
    assert [refused.source for refused in planned.refused] == [first, second]
    for refused in planned.refused:
        assert f"{first} and {second} would both be written to {tmp_path / 'out/a-mask.png'}" in refused.reason
    assert [job.name.name for job in planned.jobs] == ["b"]
    other = save(tmp_path / "other/a.bmp")
    assert len(plan([first, other], tmp_path / "out", ALL, overwrite=False).refused) == 2
    assert not (tmp_path / "out").exists()


def test_existing_outputs_are_refused_and_kept_unless_told(tmp_path: Path) -> None:
    save(tmp_path / "in/a.jpg")
    save(tmp_path / "in/b.jpg")
    out = tmp_path / "out"
    out.mkdir()
    (out / "b-mask.png").write_text("mine")
    with pytest.raises(ConfigError) as caught:
        run([tmp_path / "in"], out)
    assert str(out / "b-mask.png") in str(caught.value)
    assert "--overwrite" in caught.value.remedy
    assert content(out) == {"b-mask.png": b"mine"}
    assert run([tmp_path / "in"], out, kinds=["boxes"]).done == 2
    assert (out / "b-mask.png").read_text() == "mine"
    assert run([tmp_path / "in"], out, overwrite=True).done == 2
    assert (out / "b-mask.png").read_bytes().startswith(b"\x89PNG")


def test_long_lists_are_cut(tmp_path: Path) -> None:
    for n in range(8):
        save(tmp_path / f"in/{n}.jpg")
    run([tmp_path / "in"], tmp_path / "out", kinds=["masks"])
    with pytest.raises(ConfigError, match="and 3 more"):
        run([tmp_path / "in"], tmp_path / "out", kinds=["masks"])


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png")

    def predict(photograph: Photograph) -> Extraction:
        (tmp_path / "out/a-mask.png").write_text("mine")
        return red_object(photograph)

    summary = run([source], tmp_path / "out", predict=predict)
    assert [failure.source for failure in summary.failures] == [source]
    assert "exists already" in summary.failures[0].reason
    assert content(tmp_path / "out") == {"a-mask.png": b"mine"}


def test_own_outputs_are_not_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    save(folder / "a.jpg")
    assert run([folder], folder / "out").done == 1
    assert run([folder], folder / "out", overwrite=True).done == 1
    assert names(folder) == ["a.jpg", *(f"out/a{ending}" for ending in sorted(SUFFIXES[kind] for kind in ALL))]


def test_outputs_beside_the_images_are_not_read_again(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg")
    save(tmp_path / "gas-mask.png")
    for overwrite in (False, True):
        assert run([tmp_path], tmp_path, overwrite=overwrite).done == 2
    assert "a-mask-mask.png" not in names(tmp_path)
    left_out = plan([tmp_path], tmp_path, ALL, overwrite=True).left_out
    assert left_out == (f"{tmp_path}: left out: 2 .json", "left out: 6 outputs of an earlier call")


def test_an_image_given_by_name_is_never_replaced(tmp_path: Path) -> None:
    save(tmp_path / "gas.jpg")
    mask = save(tmp_path / "gas-mask.png")
    with pytest.raises(ConfigError, match=r"gas-mask.png is where the output of .*gas.jpg goes"):
        plan([tmp_path / "gas.jpg", mask], tmp_path, ALL, overwrite=True)


@pytest.mark.parametrize("missing", ["nothing.jpg", "nowhere/"])
def test_what_is_missing_is_named_before_any_work(tmp_path: Path, missing: str) -> None:
    with pytest.raises(ConfigError, match="no such file or folder") as caught:
        plan([save(tmp_path / "a.png"), tmp_path / missing], tmp_path / "out", ALL, overwrite=False)
    assert caught.value.exit_code == 2


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/notes.txt").write_text("")
    with pytest.raises(ConfigError, match="no images in") as caught:
        plan([tmp_path / "in"], tmp_path / "out", ALL, overwrite=False)
    assert caught.value.cause.startswith(f"{tmp_path / 'in'}: left out: 1 .txt; images end in .apng")


def test_bad_files_fail_one_by_one_and_the_rest_is_done(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    save(folder / "a.png")
    truncated = save(folder / "b.jpg", np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8))
    truncated.write_bytes(truncated.read_bytes()[:900])
    (folder / "c.png").write_text("a text")
    (folder / "d.png").write_bytes(b"")
    save(folder / "e.png", np.zeros((40, 40), dtype=np.uint8))
    save(folder / "f.png")
    text = folder / "notes.txt"
    text.write_text("given by name, so it must be an image")

    def predict(photograph: Photograph) -> Extraction:
        if photograph.id == "f.png":
            raise ValueError("odd\nimage")
        return red_object(photograph)

    summary = run([folder, text], tmp_path / "out", kinds=["masks"], max_pixels=1599 * 6, predict=predict)
    assert summary.done == 2
    reasons = {failure.source.name: failure.reason for failure in summary.failures}
    assert sorted(reasons) == ["b.jpg", "c.png", "d.png", "f.png", "notes.txt"]
    assert reasons["f.png"] == "ValueError: odd image"
    assert "not an image" in reasons["c.png"]
    assert not any(str(tmp_path) in reason or "\n" in reason for reason in reasons.values())
    assert names(tmp_path / "out") == ["a-mask.png", "e-mask.png"]


def test_too_large_an_image_fails_before_it_is_decoded(tmp_path: Path) -> None:
    summary = run([save(tmp_path / "a.png", picture(40, 40))], tmp_path / "out", max_pixels=1599)
    assert "40 x 40 pixels" in summary.failures[0].reason


@pytest.mark.parametrize("orientation", range(1, 9))
def test_outputs_lie_as_a_viewer_shows_the_image(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / "a.jpg", picture(40, 60), exif=exif, quality=95)
    run([tmp_path / "a.jpg"], tmp_path / "out")
    upright = pixels(tmp_path / "a.jpg")
    rows, columns = np.nonzero(pixels(tmp_path / "out/a-mask.png") >= 128)
    width, height = (60, 40) if orientation < 5 else (40, 60)
    assert upright.shape == (40, 60, 3)
    for kind in ("masks", "cutouts", "overlays"):
        assert size(tmp_path / f"out/a{SUFFIXES[kind]}") == (width, height)
    assert json.loads((tmp_path / "out/a-box.json").read_text())["size"] == [width, height]
    # The block is in the upper left of the stored picture; the orientation says where that goes.
    right, lower = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    assert (columns.mean() > width / 2, rows.mean() > height / 2) == (right, lower)


@pytest.mark.parametrize("kind", ["grey", "16-bit", "alpha", "palette", "cmyk", "one pixel"])
def test_every_pixel_type_gives_outputs_of_its_size(tmp_path: Path, kind: str) -> None:
    rgb = Image.fromarray(picture())
    deep = np.full((20, 30), 40_000, dtype=np.uint16)
    made: dict[str, Callable[[], object]] = {
        "grey": lambda: rgb.convert("L").save(tmp_path / "a.png"),
        "16-bit": lambda: cv2.imwrite(str(tmp_path / "a.png"), deep),
        "alpha": lambda: rgb.convert("RGBA").save(tmp_path / "a.png"),
        "palette": lambda: rgb.convert("P").save(tmp_path / "a.png"),
        "cmyk": lambda: rgb.convert("CMYK").save(tmp_path / "a.jpg"),
        "one pixel": lambda: rgb.resize((1, 1)).save(tmp_path / "a.png"),
    }
    made[kind]()
    source = next(tmp_path.glob("a.*"))
    assert run([source], tmp_path / "out").done == 1
    expected = (1, 1) if kind == "one pixel" else (30, 20)
    for output in ("masks", "cutouts", "overlays"):
        assert size(tmp_path / f"out/a{SUFFIXES[output]}") == expected


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EROFS])
def test_no_more_room_stops_and_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    for name in "abc":
        save(tmp_path / f"in/{name}.jpg")
    failing(monkeypatch, number, "b-cutout.png")
    summary = run([tmp_path / "in"], tmp_path / "out")
    assert (summary.done, summary.failures) == (1, ())
    assert summary.stopped is not None
    assert summary.stopped.errno == number
    written = names(tmp_path / "out")
    assert written == ["a-box.json", "a-cutout.png", "a-mask.png", "a-overlay.jpg", "b-mask.png"]
    assert size(tmp_path / "out/b-mask.png") == (30, 20)


def test_another_write_error_fails_that_image_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        save(tmp_path / f"in/{name}.jpg")
    failing(monkeypatch, errno.ENAMETOOLONG, "b-mask.png")
    summary = run([tmp_path / "in"], tmp_path / "out")
    assert summary.done == 2
    assert "File name too long" in summary.failures[0].reason


def test_a_crash_while_writing_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.png")
    run([tmp_path / "a.png"], tmp_path / "out")
    before = content(tmp_path / "out")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    summary = run([tmp_path / "a.png"], tmp_path / "out", overwrite=True)
    assert summary.stopped is not None
    assert summary.stopped.filename == str(tmp_path / "out/a-mask.png")
    assert content(tmp_path / "out") == before
