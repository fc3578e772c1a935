"""The command `jointtask score`, on files."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import typer
from jointtask_object_extraction.score.command import score
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from jointtask.api import ConfigError, DataError, RunError, UserError

HERE = Path(__file__).parents[1]
Picture = NDArray[Any]


def mask(n: int, height: int = 20, width: int = 30) -> Picture:
    """A block of 255 that lies elsewhere for every n."""
    made = np.zeros((height, width), np.uint8)
    made[2 + n : 10 + n, 4 : 16 + n] = 255
    return made


def soft(n: int) -> Picture:
    """A map that finds most of `mask`, and some of what is beside it."""
    return np.roll(mask(n), 1, axis=1) // 4 * 3 + 20


def save(path: Path, picture: Picture) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Six masks."""
    for n in range(6):
        save(tmp_path / f"gt/im{n}.png", mask(n))
    return tmp_path / "gt"


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """A map for each of them."""
    for n in range(6):
        save(tmp_path / f"maps/im{n}.png", soft(n))
    return tmp_path / "maps"


def call(*arguments: object) -> Any:
    app = typer.Typer()
    app.command()(score)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def printed(*arguments: object, code: int = 0) -> str:
    result = call(*arguments)
    assert result.exit_code == code, result.output
    return str(result.stdout)


def scored(*arguments: object, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed(*arguments, "--json", code=code))
    return found


def refused(*arguments: object) -> UserError:
    error = call(*arguments).exception
    assert isinstance(error, ConfigError | DataError)
    assert error.exit_code == 2
    assert error.remedy or error.cause
    return error


def values(folder: dict[str, Any]) -> dict[str, float]:
    return {name: value["value"] for name, value in folder["scores"].items()}


def test_a_perfect_folder_is_perfect(truth: Path, tmp_path: Path) -> None:
    for n in range(6):
        save(tmp_path / f"same/im{n}.png", mask(n))
    (folder,) = scored(tmp_path / "same", truth)["folders"]
    assert folder["images"] == 6
    found = values(folder)
    assert found.pop("MAE") == 0
    assert found.pop("adpE") == found.pop("maxE") == pytest.approx(600 / 599)
    assert found.pop("meanE") == pytest.approx(255 / 256 + 0.25 / 256, abs=0.01)
    assert found == pytest.approx(dict.fromkeys(found, 1.0), abs=0.01)


@pytest.mark.shared
def test_fifty_real_pairs_score_as_in_pysodmetrics(tmp_path: Path, pysod_reference: ModuleType) -> None:
    maker = pysod_reference
    stored = json.loads(maker.REFERENCE.read_text())
    for row in stored["pairs"]:
        image, real = maker.load(row["id"])
        picture = maker.make_map(row["map"], image, real)
        assert maker.digest(picture) == row["digest"], f"{row['id']}: another JPEG decoder made another map"
        save(tmp_path / f"gt/{row['id']}.png", real.astype(np.uint8) * 255)
        save(tmp_path / f"maps/{row['id']}.png", picture)
    (folder,) = scored(tmp_path / "maps", tmp_path / "gt", "--csv", tmp_path / "all.csv")["folders"]
    found = values(folder)
    for name, expected in stored["summary"].items():
        assert found[name] == pytest.approx(expected, rel=0, abs=1e-6), name
    rows = list(csv.DictReader((tmp_path / "all.csv").read_text().splitlines()))
    assert len(rows) == len(stored["pairs"]) == 50
    for row, pinned in zip(rows, stored["pairs"], strict=True):
        assert row["image"] == pinned["id"]
        wanted = {name: pinned[name] for name in ("MAE", "S", "wF")} | {f"adp{x}": pinned[x][-1] for x in "FE"}
        for name, expected in wanted.items():
            assert float(row[name]) == pytest.approx(expected, rel=0, abs=1e-6), f"{row['image']} {name}"


def as_8_bit(grey: Picture) -> Image.Image:
    return Image.fromarray(grey)


def as_16_bit(grey: Picture) -> Image.Image:
    return Image.fromarray(grey.astype(np.uint16) * 257)


def as_colour(grey: Picture) -> Image.Image:
    return Image.fromarray(grey).convert("RGB")


def as_opaque(grey: Picture) -> Image.Image:
    return Image.fromarray(grey).convert("RGBA")


def as_opacity(grey: Picture) -> Image.Image:
    return Image.merge("RGBA", [Image.fromarray(255 - grey)] * 3 + [Image.fromarray(grey)])


def as_grey_palette(grey: Picture) -> Image.Image:
    return Image.fromarray(grey).convert("P")


@pytest.mark.parametrize("kind", [as_8_bit, as_16_bit, as_colour, as_opaque, as_opacity, as_grey_palette])
def test_a_map_scores_the_same_however_it_is_stored(
    kind: Callable[[Picture], Image.Image], truth: Path, maps: Path, tmp_path: Path
) -> None:
    for n in range(6):
        (tmp_path / "stored").mkdir(exist_ok=True)
        kind(soft(n)).save(tmp_path / f"stored/im{n}.png")
    plain, stored = scored(maps, tmp_path / "stored", truth)["folders"]
    assert values(stored) == pytest.approx(values(plain), abs=1e-12)
    assert bool(stored["notes"]) == (kind is as_opacity)


def test_masks_of_0_and_1_are_read_as_masks_and_that_is_said(truth: Path, tmp_path: Path) -> None:
    for n in range(6):
        save(tmp_path / f"ones/im{n}.png", mask(n) // 255)
    out = printed(tmp_path / "ones", truth)
    assert re.search(r"^J, % ↑ +100\.00 ", out, re.MULTILINE)
    assert "ones: maps read as masks: 0 is background, 1 the object; 6: im0, im1, im2, im3, im4 and 1 more" in out


def test_palettes_and_colours_name_the_object(truth: Path, tmp_path: Path) -> None:
    for n in range(6):
        labels = Image.fromarray(mask(n) // 255, "P") if n % 2 else None
        (tmp_path / "labels").mkdir(exist_ok=True)
        if labels is not None:
            labels.putpalette([0, 0, 0, 128, 0, 0])
            labels.save(tmp_path / f"labels/im{n}.png")
        else:
            save(tmp_path / f"labels/im{n}.png", np.stack([mask(n), mask(n) // 2, mask(n) * 0], axis=2))
    (folder,) = scored(tmp_path / "labels", truth)["folders"]
    assert folder["scores"]["J"]["value"] == 1
    assert [note.split(":")[0] for note in folder["notes"]] == ["maps read as palettes", "maps read as colours"]


def test_another_size_is_resized_counted_and_another_aspect_ratio_hinted_at(
    truth: Path, maps: Path, tmp_path: Path
) -> None:
    big = np.kron(soft(0), np.ones((2, 2), np.uint8))
    save(maps / "im0.png", big)
    save(maps / "im1.png", soft(1).T.copy())
    out = printed(maps, truth)
    assert "maps: maps of another size than their masks, resized (bilinear); 2: im0, im1" in out
    assert "of another aspect ratio than their masks: of another image, turned, or squashed to a square; 1: im1" in out


def test_folders_stand_side_by_side_with_intervals_and_paired_differences(
    truth: Path, maps: Path, tmp_path: Path
) -> None:
    for n in range(6):
        save(tmp_path / f"worse/im{n}.png", np.roll(soft(n), 3 + n, axis=1))
        save(tmp_path / f"alike/im{n}.png", np.roll(soft(n), 1 if n % 2 else -1, axis=0))
        save(tmp_path / f"alike2/im{n}.png", np.roll(soft(n), -1 if n % 2 else 1, axis=0))
    first, worse = scored(maps, tmp_path / "worse", truth)["folders"]
    j = worse["scores"]["J"]
    assert j["verdict"] == "worse"
    assert j["difference"] == pytest.approx(j["value"] - first["scores"]["J"]["value"])
    assert j["difference_interval"][0] < j["difference"] < j["difference_interval"][1] < 0
    assert worse["scores"]["MAE"]["verdict"] == "worse"
    assert worse["scores"]["MAE"]["difference"] > 0
    assert worse["scores"]["maxF"]["interval"] is worse["scores"]["maxF"]["difference_interval"] is None
    assert worse["scores"]["maxF"]["difference"] < 0
    assert first["scores"]["J"]["difference"] is None
    out = printed(tmp_path / "alike", tmp_path / "alike2", truth, "--metrics", "J")
    assert "difference to alike" in out
    assert "within noise" in out


def test_json_is_the_whole_of_standard_output_and_csv_has_a_row_for_each_image_and_folder(
    truth: Path, maps: Path, tmp_path: Path
) -> None:
    save(tmp_path / "half/im2.png", soft(2) * 0)
    result = call(maps, tmp_path / "half", truth, "--json", "--csv", tmp_path / "all.csv", "--metrics", "iou,MAE,maxF")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["masks"] == 6
    assert found["definitions"]["J"]["percent"] is True
    assert [*values(found["folders"][0])] == ["J", "MAE", "maxF"]
    assert found["folders"][1]["missing"] == ["im0", "im1", "im3", "im4", "im5"]
    assert "half: no prediction for 5 of 6 masks" in result.stderr
    rows = list(csv.DictReader((tmp_path / "all.csv").read_text().splitlines()))
    assert [*rows[0]] == ["image", "prediction", "J", "MAE", "note"]
    assert [(row["image"], row["prediction"]) for row in rows] == [
        (f"im{n}", name) for n in range(6) for name in ("maps", "half")
    ]
    assert rows[1] == {"image": "im0", "prediction": "half", "J": "", "MAE": "", "note": "missing"}
    assert rows[5]["note"] == "empty"
    assert np.mean([float(row["J"]) for row in rows[::2]]) == pytest.approx(found["folders"][0]["scores"]["J"]["value"])


def test_masks_without_a_prediction_are_an_error_unless_accepted(truth: Path, maps: Path) -> None:
    (maps / "im3.png").unlink()
    save(maps / "other.png", soft(0))
    out = printed(maps, truth, code=1)
    assert "maps: no prediction for 1 of 6 masks: im3; its scores leave them out (--partial accepts that)" in out
    assert "maps: predictions without a mask, not used; 1: other" in out
    assert "images scored" in out
    assert "no prediction for" not in printed(maps, truth, "--partial")
    assert scored(maps, truth, "--partial")["folders"][0]["missing"] == ["im3"]


def test_files_that_cannot_be_read_are_listed_and_the_others_scored(truth: Path, maps: Path) -> None:
    (maps / "im1.png").write_bytes(b"no image")
    save(maps / "im2.png", np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8))
    (truth / "im4.png").write_bytes((truth / "im4.png").read_bytes()[:60])
    result = call(maps, truth)
    assert result.exit_code == 1
    assert f"cannot be used: {maps / 'im1.png'}: not an image" in result.stdout
    assert f"cannot be used: {maps / 'im2.png'}: a photograph, not a mask" in result.stdout
    assert f"cannot be used: {truth / 'im4.png'}: cannot be read" in result.stdout
    assert scored(maps, truth, code=1)["folders"][0]["images"] == 3


def test_nothing_readable_is_no_traceback(truth: Path, maps: Path, tmp_path: Path) -> None:
    for path in maps.iterdir():
        path.write_bytes(b"")
    assert "–" in printed(maps, truth, "--figure", tmp_path / "f.png", "--csv", tmp_path / "f.csv", code=1)  # noqa: RUF001 - as the tables write it
    assert not (tmp_path / "f.png").exists()
    assert (tmp_path / "f.csv").exists()


def test_odd_values_are_reported(truth: Path, maps: Path) -> None:
    save(maps / "im0.png", soft(0) * 0)
    save(maps / "im1.png", soft(1) * 0 + 200)
    save(maps / "im2.png", soft(2) // 4)
    out = printed(maps, truth)
    assert "maps: maps zero throughout; 1: im0" in out
    assert "maps: maps one value throughout; 1: im1" in out
    assert "maps: maps nowhere as high as 0.5, so P and J find nothing; 1: im2" in out
    assert "inverted" not in out


def test_inverted_maps_are_hinted_at(truth: Path, maps: Path) -> None:
    for n in range(6):
        save(maps / f"im{n}.png", 255 - soft(n))
    assert "maps that look inverted, 6 of 6: J of the complement is much higher; is 0 the object?" in printed(
        maps, truth
    )


def test_masks_that_are_odd_are_reported(truth: Path, maps: Path) -> None:
    save(truth / "im0.png", mask(0) * 0)
    save(truth / "im1.png", mask(1) // 255)
    notes = scored(maps, truth)["notes"]
    assert notes == ["masks read as 0/1, 2: 0 is background, 1 the object", "masks without an object, 1: im0"]


def write_box(path: Path, box: object, size: tuple[int, int] = (30, 20)) -> None:
    path.write_text(json.dumps({"image": "x", "size": size, "box": box}))


def test_boxes_beside_the_maps_are_scored_as_extract_writes_them(truth: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for n in range(6):
        save(out / f"im{n}-mask.png", soft(n))
        save(out / f"im{n}-cutout.png", soft(n))
        save(out / f"im{n}-overlay.jpg", soft(n))
        write_box(out / f"im{n}-box.json", [4, 2 + n, 16 + n, 10 + n])
    write_box(out / "im1-box.json", None)
    write_box(out / "im2-box.json", [8, 8, 36, 24], (60, 40))
    (folder,) = scored(out, truth)["folders"]
    assert folder["scores"]["box IoU"]["value"] == 1
    assert folder["notes"] == folder["unmatched"] == []
    (out / "im3-box.json").write_text('{"size": [30, 20]}')
    result = call(out, truth)
    assert result.exit_code == 1
    assert f"cannot be used: {out / 'im3-box.json'}: no box" in result.stdout
    assert "images scored" in result.stdout


def test_without_boxes_there_is_no_box_iou_unless_asked_for(truth: Path, maps: Path) -> None:
    assert "box IoU" not in printed(maps, truth)
    assert "box IoU" in printed(maps, truth, "--metrics", "box-iou")


def test_figures_hold_every_folder_and_are_the_same_again(truth: Path, maps: Path, tmp_path: Path) -> None:
    save(tmp_path / "_other/im0.png", soft(0))
    for suffix in ("svg", "png"):
        paths = [tmp_path / f"{n}.{suffix}" for n in range(2)]
        for path in paths:
            printed(maps, tmp_path / "_other", truth, "--partial", "--figure", path)
        assert paths[0].read_bytes() == paths[1].read_bytes()
    printed(maps, truth, "--figure", tmp_path / "a.PDF")
    assert (tmp_path / "a.PDF").read_bytes().startswith(b"%PDF")
    drawn = (tmp_path / "0.svg").read_text()
    for words in ("recall", "precision", "maps, maximum", "_other, maximum"):
        assert words in drawn


@pytest.mark.slow
def test_several_processes_give_the_same(truth: Path, maps: Path) -> None:
    assert printed(maps, truth, "--workers", 2, "--json") == printed(maps, truth, "--json")


def test_folders_of_one_name_are_told_apart_by_their_paths(truth: Path, maps: Path, tmp_path: Path) -> None:
    for n in range(6):
        save(tmp_path / f"b/maps/im{n}.png", soft(n))
    names = [folder["name"] for folder in scored(maps, tmp_path / "b/maps", truth)["folders"]]
    assert names == [str(maps), str(tmp_path / "b/maps")]


def test_mistakes_are_refused_with_a_way_out(truth: Path, maps: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    save(tmp_path / "strange/a.png", soft(0))
    for n in range(4):
        save(tmp_path / f"strange/{'abcd'[n]}.png", soft(0))
    assert "no such folder" in str(refused(tmp_path / "absent", truth))
    assert "is a file, not a folder" in str(refused(tmp_path / "file", truth))
    assert f"no image in {tmp_path / 'empty'}" in str(refused(tmp_path / "empty", truth))
    assert "both prediction and ground truth" in str(refused(truth, truth))
    assert "given twice" in str(refused(maps, maps, truth))
    strange = refused(tmp_path / "strange", truth)
    assert "here they are called a, b, c, ...; there im0, im1, im2, ..." in strange.cause
    assert "no score or metric is called bleu" in str(refused(maps, truth, "--metrics", "J,bleu"))
    assert "there is no folder" in str(refused(maps, truth, "--csv", tmp_path / "absent/a.csv"))
    assert "it is a folder" in str(refused(maps, truth, "--csv", tmp_path))
    assert "no known kind of figure" in str(refused(maps, truth, "--figure", tmp_path / "a.jpg"))


def test_one_folder_alone_is_a_wrong_command(truth: Path) -> None:
    result = call(truth)
    assert result.exit_code == 2
    assert "PRED" in result.stderr


def test_a_csv_that_cannot_be_written_leaves_the_scores_on_the_screen(
    truth: Path, maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = call(maps, truth, "--csv", tmp_path / "a.csv")
    assert isinstance(result.exception, RunError)
    assert "No space left" in result.exception.cause
    assert "J, % ↑" in result.stdout
