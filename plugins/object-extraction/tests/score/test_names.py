"""Names of files and folders in what `jointtask score` pairs, prints, writes and draws."""

from __future__ import annotations

import csv
import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from jointtask_object_extraction.score.command import score
from PIL import Image
from typer.testing import CliRunner


def save(folder: Path, name: str, left: int = 4) -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[5:12, left : left + 9] = 255
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.png").open("wb") as file:
        Image.fromarray(mask).save(file, "PNG")


def call(*arguments: object, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(score)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return str(result.stdout)


def scored(*arguments: object, code: int = 0) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(call(*arguments, "--metrics", "J", "--json", code=code))
    return table


@pytest.mark.parametrize(
    "names",
    [["gas", "gas-mask"], ["a", "a-mask", "a-mask-mask"], ["mask", "mask-mask"], ["x.1", "x.1-mask"], ["a", "b"]],
)
def test_every_mask_is_scored_with_its_own_map(tmp_path: Path, names: list[str]) -> None:
    for position, name in enumerate(names):
        save(tmp_path / "gt", name, 2 + 8 * position)
        save(tmp_path / "maps", f"{name}-mask", 2 + 8 * position)
    assert scored(tmp_path / "maps", tmp_path / "gt")["folders"][0]["scores"]["J"]["value"] == 1


def test_a_mask_with_two_maps_fails_and_the_others_are_scored(tmp_path: Path) -> None:
    for name in ("gas", "car"):
        save(tmp_path / "gt", name)
    for name in ("gas", "gas_mask", "car", "car_mask"):
        save(tmp_path / "maps", name)
    table = scored(tmp_path / "maps", tmp_path / "gt", code=1)
    assert "names do not decide which map is its own (gas or gas_mask)" in table["folders"][0]["unreadable"][1]


def test_boxes_are_paired_with_all_their_names_at_once(tmp_path: Path) -> None:
    for position, name in enumerate(("gas", "gas-mask")):
        left = 2 + 15 * position
        save(tmp_path / "gt", name, left)
        save(tmp_path / "maps", f"{name}-mask", left)
        (tmp_path / f"maps/{name}-box.json").write_text(json.dumps({"size": [30, 20], "box": [left, 5, left + 9, 12]}))
    table = json.loads(call(tmp_path / "maps", tmp_path / "gt", "--metrics", "box-iou", "--json"))
    assert table["folders"][0]["scores"]["box IoU"]["value"] == 1


@pytest.mark.parametrize("name", ["café", "Å", "ﬃ é", "한국", "nai\u0308ve-1"])
def test_composed_and_decomposed_names_belong_together(tmp_path: Path, name: str) -> None:
    save(tmp_path / "gt", unicodedata.normalize("NFC", name))
    save(tmp_path / "maps", unicodedata.normalize("NFD", name) + "-mask")
    assert scored(tmp_path / "maps", tmp_path / "gt")["folders"][0]["missing"] == []


NAMES = [b"caf\xe9", b"\xff\xfe", b"\x1b[31mred", b"new\nline", b"\xc3\x28", "ünïcode 한".encode()]


@pytest.mark.parametrize("raw", NAMES)
def test_any_name_that_a_file_system_holds_is_scored_written_and_drawn(tmp_path: Path, raw: bytes) -> None:
    name = os.fsdecode(raw)
    for folder in ("gt", f"maps {name}"):
        save(tmp_path / folder, name)
        save(tmp_path / folder, "b")
    maps, table = tmp_path / f"maps {name}", tmp_path / "all.csv"
    said = call(maps, tmp_path / "gt", "--csv", table, "--figure", tmp_path / "curves.svg")
    assert "\x1b" not in said
    rows = list(csv.DictReader(table.read_bytes().decode("utf-8").splitlines()))
    assert len(rows) == 2
    assert (tmp_path / "curves.svg").read_bytes().decode("utf-8")
    json.loads(call(maps, tmp_path / "gt", "--json").encode("utf-8"))


@pytest.mark.parametrize("name", ["=1+1", "+49", "-2", "@sum", "=cmd()", "\t=1", "-mask"])
def test_no_cell_is_a_formula(tmp_path: Path, name: str) -> None:
    save(tmp_path / "gt", name)
    save(tmp_path / name, name)
    call(tmp_path / name, tmp_path / "gt", "--csv", tmp_path / "all.csv")
    (row,) = csv.reader((tmp_path / "all.csv").read_text().splitlines()[1:])
    for cell in row:
        assert not cell.strip().startswith(("=", "+", "-", "@"))
    assert row[0].endswith(name.strip("\t"))


@pytest.mark.parametrize("name", ["a$^$", "$x_2$", "$\\frac$", "$", "50$ to 60$", "_$a$", "\\alpha_{1}"])
def test_no_name_is_mathematics(tmp_path: Path, name: str) -> None:
    save(tmp_path / "gt", "a")
    save(tmp_path / name, "a")
    for suffix in ("svg", "pdf", "png"):
        call(tmp_path / name, tmp_path / "gt", "--figure", tmp_path / f"curves.{suffix}")
    assert f"{name}, maximum" in (tmp_path / "curves.svg").read_text()
