"""`jointtask finetune`: from folders to a run file, a run, and what it gained."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from jointtask.api import UserError
from jointtask.cli.app import app

sys.path.insert(0, str(Path(__file__).parents[4] / "examples"))

from photographs import write_scenes

ROOT = Path(__file__).parents[4]
Call = Callable[..., Any]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def folders(root: Path, count: int, *, masks: int | None = None) -> list[str]:
    for name in ("images", "masks"):
        (root / name).mkdir()
    for index in range(count):
        image = np.full((12, 16, 3), index, np.uint8)
        Image.fromarray(image).save(root / "images" / f"{index}.png")
    for index in range(count if masks is None else masks):
        mask = np.zeros((12, 16), np.uint8)
        mask[3:9, 4:12] = 255
        Image.fromarray(mask).save(root / "masks" / f"{index}.png")
    return ["--images", "images", "--masks", "masks"]


def test_the_run_file_is_written_once_and_no_other_is_replaced(call: Call, tmp_path: Path) -> None:
    given = folders(tmp_path, 23, masks=20)
    result = call("finetune", "mine", *given, "--write-only")
    assert result.exit_code == 0, result.output
    assert "16 images to learn from, 4 held back" in result.output
    text = (tmp_path / "mine.toml").read_text()
    assert call("finetune", "mine", *given, "--write-only").exit_code == 0
    (tmp_path / "mine.toml").write_text(text + "# mine\n")
    result = call("finetune", "mine", *given, "--write-only")
    assert isinstance(result.exception, UserError)
    assert (tmp_path / "mine.toml").read_text() == text + "# mine\n"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "-x"])
def test_a_name_that_is_no_folder_is_refused(call: Call, tmp_path: Path, name: str) -> None:
    result = call("finetune", *folders(tmp_path, 20), "--write-only", "--", name)
    assert isinstance(result.exception, UserError)
    assert not list(tmp_path.glob("*.toml"))


def test_too_few_images_are_told(call: Call, tmp_path: Path) -> None:
    result = call("finetune", "mine", *folders(tmp_path, 20, masks=9))
    assert isinstance(result.exception, UserError)
    assert "9 of 20 images have a mask" in result.exception.message


@pytest.mark.parametrize("missing", ["--images", "--masks"])
def test_a_folder_that_is_not_there_is_told(call: Call, tmp_path: Path, missing: str) -> None:
    given = folders(tmp_path, 20)
    given[given.index(missing) + 1] = "nowhere"
    result = call("finetune", "mine", *given)
    assert isinstance(result.exception, UserError)
    assert "nowhere" in result.exception.message


def test_two_masks_of_one_name_are_told(call: Call, tmp_path: Path) -> None:
    given = folders(tmp_path, 20)
    Image.fromarray(np.ones((12, 16), np.uint8)).save(tmp_path / "masks" / "3.bmp")
    result = call("finetune", "mine", *given)
    assert isinstance(result.exception, UserError)
    assert "more than one mask" in result.exception.message


@pytest.mark.slow
def test_a_run_says_what_it_gained_and_what_to_do_next(call: Call, tmp_path: Path) -> None:
    write_scenes(tmp_path, 12)
    result = call("finetune", "mine", "--images", "images", "--masks", "masks", "--epochs", "2", "--output", "out")
    assert result.exit_code == 0, result.output
    assert "J on the 2 images held back" in result.output
    assert "jointtask extract PHOTOGRAPHS --to DIR --model out/mine" in result.output
    again = call("finetune", "mine", "--images", "images", "--masks", "masks", "--epochs", "2", "--output", "out")
    assert again.exit_code == 0
    assert again.output.splitlines()[-4:] == result.output.splitlines()[-4:]


@pytest.mark.slow
def test_the_example_runs_on_images_that_it_makes(call: Call, tmp_path: Path) -> None:
    write_scenes(tmp_path / "photographs", 60)
    example = ROOT / "examples" / "object_extraction_folder.toml"
    result = call("run", example, "--set", "em.warmup_epochs=1", "--set", "data.train.limit=8")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "runs" / "object-extraction-folder" / "report.html").exists()
