"""`jointtask extract` on folders and streams, with the model that ships: several processes, resuming, single files."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from jointtask_object_extraction.extract.images import Scored
from jointtask_object_extraction.extract.ranking import require_summary, write_summary
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

from jointtask.api import ConfigError, UserError
from jointtask.cli.app import app


def call(*arguments: Any, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["extract", *map(str, arguments), "--device", "cpu"], input=stdin)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def pixels(path: Path) -> NDArray[Any]:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("coffee", "chelsea", "rocket"):
        Image.fromarray(getattr(skimage.data, name)()).resize((240, 160)).save(folder / f"{name}.png")
    return folder


def test_several_processes_write_the_same_bytes(photographs: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        result = call(photographs, "--to", tmp_path / str(workers), "--workers", workers)
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("3 done, 0 failed")
    assert content(tmp_path / "1") == content(tmp_path / "2")


@pytest.mark.parametrize("objects", [1, 2])
def test_an_interrupted_call_goes_on(photographs: Path, tmp_path: Path, objects: int) -> None:
    options = ("--to", tmp_path / "out", "--save", "masks,boxes", "--objects", objects)
    assert call(photographs, *options).exit_code == 0
    before = content(tmp_path / "out")
    last = "rocket-labels.png" if objects > 1 else "rocket-box.json"
    (tmp_path / "out" / last).unlink()
    kept = tmp_path / "out" / ("coffee-1-mask.png" if objects > 1 else "coffee-mask.png")
    kept.write_bytes(b"as it was")
    assert isinstance(call(photographs, *options).exception, ConfigError)
    result = call(photographs, *options, "--resume")
    assert result.stdout.startswith("1 done, 0 failed, 2 done before")
    assert content(tmp_path / "out") == before | {kept.name: b"as it was"}
    assert call(photographs, *options, "--resume").stdout.startswith("0 done, 0 failed, 3 done before")


def test_several_objects_have_numbers_and_a_map_of_labels(photographs: Path, tmp_path: Path) -> None:
    result = call(photographs / "coffee.png", "--to", tmp_path, "--objects", 3, "--save", "mask")
    assert result.exit_code == 0, result.output
    labels = pixels(tmp_path / "coffee-labels.png")
    masks = [pixels(path) >= 128 for path in sorted(tmp_path.glob("coffee-*-mask.png"))]
    assert labels.max() == len(masks)
    for number, mask in enumerate(masks, start=1):
        assert np.array_equal(labels == number, mask)
    again = call(tmp_path, photographs, "--to", tmp_path, "--objects", 3, "--save", "mask", "--overwrite")
    assert again.stdout.startswith("3 done, 0 failed")


def test_images_are_ranked_worst_first(photographs: Path, tmp_path: Path) -> None:
    result = call(photographs, "--to", tmp_path, "--save", "uncertainty,boxes")
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((tmp_path / "summary.csv").read_text().splitlines()))
    scores = [float(row["score"]) for row in rows]
    assert [row["image"] for row in rows][-1] == "coffee"
    assert scores == sorted(scores)
    for row in rows:
        assert json.loads((tmp_path / f"{row['image']}-box.json").read_text())["score"] == float(row["score"])
        assert size(tmp_path / f"{row['image']}-uncertainty.png") == (240, 160)


def test_a_summary_is_continued_and_another_file_is_kept(tmp_path: Path) -> None:
    write_summary(tmp_path, [Scored("a", 1, 0.5, ""), Scored("b", 1, 0.25, "")])
    write_summary(tmp_path, [Scored("=1+2", 1, 0.125, "no object was found"), Scored("b", 1, 1.0, "")])
    assert (tmp_path / "summary.csv").read_text().splitlines() == [
        "image,object,score,note",
        "'=1+2,1,0.1250,no object was found",
        "a,1,0.5000,",
        "b,1,1.0000,",
    ]
    require_summary(tmp_path)
    for other in ("", "mine", "image,object,score,note\na,b", "image,object,score,note\na,1,good,"):
        (tmp_path / "summary.csv").write_text(other)
        with pytest.raises(ConfigError, match="not a summary"):
            require_summary(tmp_path)


def test_boxes_and_points_reach_the_model(photographs: Path, tmp_path: Path) -> None:
    image = photographs / "coffee.png"
    assert call(image, "--to", tmp_path / "plain", "--save", "masks").exit_code == 0
    assert call(image, "--to", tmp_path / "box", "--save", "masks", "--box", "10,60,80,130").exit_code == 0
    assert call(image, "--to", tmp_path / "point", "--save", "masks", "--point", "110,80").exit_code == 0
    plain, box, point = (pixels(tmp_path / n / "coffee-mask.png") >= 128 for n in ("plain", "box", "point"))
    assert not np.array_equal(plain, box)
    assert (plain & point).sum() > 0.9 * (plain | point).sum()
    (tmp_path / "boxes.csv").write_text("image,x1,y1,x2,y2\ncoffee,10,60,80,130\n")
    assert call(image, "--to", tmp_path / "file", "--save", "masks", "--box", tmp_path / "boxes.csv").exit_code == 0
    assert (tmp_path / "file/coffee-mask.png").read_bytes() == (tmp_path / "box/coffee-mask.png").read_bytes()


def test_one_image_through_standard_streams(photographs: Path) -> None:
    picture = (photographs / "coffee.png").read_bytes()
    command = [sys.executable, "-m", "jointtask", "extract", "-", "--device", "cpu", "--crop"]
    done = subprocess.run(command, input=picture, capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert image.mode == "RGBA"
        assert image.size < (240, 160)
    empty = subprocess.run(command, input=b"", capture_output=True)
    assert empty.returncode == 2
    assert b"nothing came from standard input" in empty.stderr
    assert empty.stdout == b""


@pytest.mark.parametrize("more", [["--to", "out"], ["other.png"]])
def test_a_stream_is_one_image(more: Sequence[str]) -> None:
    assert isinstance(call("-", *more, stdin=b"").exception, UserError)


def test_one_cutout_goes_to_a_file(photographs: Path, tmp_path: Path) -> None:
    image, to = photographs / "coffee.png", tmp_path / "new" / "cut.jpg"
    assert call(image, "--to", to, "--background", "white").exit_code == 0
    assert size(to) == (240, 160)
    assert isinstance(call(image, "--to", to, "--background", "white").exception, ConfigError)
    assert call(image, "--to", to, "--background", "white", "--overwrite").exit_code == 0
    for arguments in (
        (photographs, "--to", tmp_path / "a.png"),
        (image, image, "--to", tmp_path / "a.png"),
        (tmp_path / "missing.png", "--to", tmp_path / "a.png"),
        (image, "--to", image, "--overwrite"),
        (image, "--to", tmp_path / "a.jpg"),
        (image,),
    ):
        assert isinstance(call(*arguments).exception, ConfigError), arguments
    assert not (tmp_path / "a.png").exists()


def test_one_output_that_cannot_be_written_costs_no_other(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wide = np.random.default_rng(0).integers(0, 256, (6, 66_000, 3), dtype=np.uint8)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    result = call(tmp_path / "wide.png", "--to", tmp_path / "out", "--model", "otsu", "--format", "webp")
    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "no wide-cutout.webp: a webp file cannot hold" in result.stdout
    made = content(tmp_path / "out")
    assert sorted(made) == ["wide-box.json", "wide-mask.png", "wide-overlay.jpg"]
    assert size(tmp_path / "out/wide-overlay.jpg")[0] == 65_500
    assert "loadsave" not in capfd.readouterr().err


def test_what_nothing_was_cut_out_of_is_named(tmp_path: Path) -> None:
    for name in "abcdefg":
        Image.new("RGB", (40, 30), "white").save(tmp_path / f"{name}.png")
    result = call(tmp_path, "--to", tmp_path / "out", "--save", "masks")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1] == "nothing cut out of a: it is of one colour"
    assert lines[-1] == "and 2 more"
    assert not pixels(tmp_path / "out/a-mask.png").any()


def test_the_device_that_auto_took_is_said(photographs: Path, tmp_path: Path) -> None:
    arguments = ["extract", str(photographs / "coffee.png"), "--to", str(tmp_path), "--save", "masks"]
    assert "on c" in CliRunner().invoke(app, arguments).stderr
