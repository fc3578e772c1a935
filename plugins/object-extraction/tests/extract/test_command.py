"""The command `extract`, as typed."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from jointtask_object_extraction.extract.command import extract
from typer.testing import CliRunner

from jointtask.api import ConfigError, RunError, RunRecord, UserError
from jointtask.testing.trial import RUN_FILE

sys.path.insert(0, str(Path(__file__).parents[1]))

from pictures import failing, names, save, size  # beside this folder

EXAMPLE = Path(__file__).parents[4] / "examples" / "object_extraction.toml"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """The command as typed, with the predictor `red` and the trial pair installed."""
    site = tmp_path_factory.mktemp("site-packages")
    metadata = site / "red-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: red\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[jointtask]\nred = red_predictor\ntrial = jointtask.testing.trial\n")
    monkeypatch.syspath_prepend(site)
    app = typer.Typer()
    app.command()(extract)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_command_done(tmp_path: Path, command: Callable[..., Any]) -> None:
    save(tmp_path / "in/a.jpg")
    (tmp_path / "in/notes.txt").write_text("")
    result = command(tmp_path / "in", "--to", tmp_path / "new/out", "--model", "red", "--save", "masks, boxes")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"1 done, 0 failed; results in {tmp_path / 'new/out'}",
        f"{tmp_path / 'in'}: left out: 1 .txt",
    ]
    assert names(tmp_path / "new/out") == ["a-box.json", "a-mask.png"]


def test_command_exits_1_if_one_failed(tmp_path: Path, command: Callable[..., Any]) -> None:
    save(tmp_path / "in/a.jpg")
    (tmp_path / "in/b.png").write_text("a text")
    result = command(tmp_path / "in", "--to", tmp_path / "out", "--model", "red")
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first.startswith("1 done, 1 failed; results in")
    assert second.startswith(f"failed: {tmp_path / 'in/b.png'}: not an image")


def test_command_says_what_stopped_it(
    tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        save(tmp_path / f"in/{name}.jpg")
    failing(monkeypatch, errno.ENOSPC, "b-mask.png")
    result = command(tmp_path / "in", "--to", tmp_path / "out", "--model", "red")
    error = result.exception
    assert isinstance(error, RunError)
    assert error.exit_code == 1
    assert error.message == f"{tmp_path / 'out/b-mask.png'} cannot be written, and 2 of 3 images are left"
    assert error.cause == "No space left on device"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "missing"], "missing is neither a run directory nor a predictor"),
        (["--model", "red", "--save", "masks,faces"], "--save must name some of masks, cutouts, boxes, overlays"),
        (["--model", "red", "--box", "1,2,3"], "--box 1,2,3 is not x1,y1,x2,y2"),
        (["--model", "red", "--box", "9,2,3,4"], "the box is empty"),
        (["--model", "red", "--point", "1"], "--point 1 is not x,y"),
        (["--model", "red", "--point", "1,nan"], "--point 1,nan is not x,y"),
        (["--model", "red", "--point", "1,2", "--objects", "2"], "exclude each other"),
        (["--model", "red", "--overwrite", "--resume"], "exclude each other"),
        (["--model", "red", "--background", "#12"], "'#12' is no colour"),
        (["--model", "red", "--background", "beach.jpg"], "there is no background 'beach.jpg'"),
        (["--model", "red", "--format", "jpg"], "a JPEG cannot be transparent"),
        (["--model", "red", "--format", "tiff"], "--format must be one of png, webp, jpg"),
        (["--model", "movement"], "the predictor 'movement' does not extract objects"),
        (["--model", "mean-digits"], "mean-digits: no training data"),
        (["--model", "red", "--save", ","], "--save must name"),
        (["--model", "red", "--device", "tpu"], "--device must be one of"),
        (["--model", "nowhere/at-all"], "nowhere/at-all is neither a run directory nor a predictor"),
        (["--model", "."], ". is no run directory"),
    ],
)
def test_command_refuses(tmp_path: Path, command: Callable[..., Any], arguments: Sequence[str], message: str) -> None:
    result = command(save(tmp_path / "a.jpg"), "--to", tmp_path / "out", *arguments)
    assert isinstance(result.exception, UserError)
    assert result.exception.exit_code == 2
    assert message in result.exception.message
    assert not (tmp_path / "out").exists()


def test_command_takes_a_run_of_this_pair_and_refuses_another(
    tmp_path: Path, command: Callable[..., Any], jointtask_run: Callable[..., RunRecord]
) -> None:
    small = ("data.train.examples=8", "em.rounds=1", "em.warmup_epochs=0", "em.oracle_examples=0")
    bare = ("data.validation.examples=1", "data.test.examples=1", "evaluate.predictors=[]", "proposal=[]")
    own = jointtask_run(EXAMPLE, *small, *bare, "sampler.name=none").directory
    arguments = (save(tmp_path / "a.png"), "--to", tmp_path / "out", "--device", "cpu", "--save", "masks")
    result = command(*arguments, "--model", own)
    assert result.exit_code == 0, result.output
    assert size(tmp_path / "out/a-mask.png") == (30, 20)
    other = jointtask_run(RUN_FILE, plugins=("jointtask.testing.trial",)).directory
    error = command(*arguments, "--model", other, "--overwrite").exception
    assert isinstance(error, ConfigError)
    assert "does not extract objects" in error.message


def test_a_destination_that_is_a_file_is_refused(tmp_path: Path, command: Callable[..., Any]) -> None:
    (tmp_path / "out").write_text("mine")
    error = command(save(tmp_path / "a.jpg"), "--to", tmp_path / "out", "--model", "red").exception
    assert isinstance(error, ConfigError)
    assert error.cause == "it is a file"
    assert (tmp_path / "out").read_text() == "mine"
