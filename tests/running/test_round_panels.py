"""Panels after each round: there for every saved round, the same after a resume, and of no effect on the run."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from toy import run_file

from jointtask.api.errors import ConfigError
from jointtask.api.record import RunRecord
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.faults import FaultyFileError
from jointtask.runfile.load import load
from jointtask.running.autosave import StoppedError
from jointtask.running.directory import panel_files
from jointtask.running.round_panels import round_panels
from jointtask.running.run import run
from jointtask.tools.progress import SilentProgress

TOY = Path(__file__).parents[1] / "toy.py"
PLUGIN = '''
import os
from jointtask import hookimpl
from jointtask.api import Component, NoSettings, Observer, Panel, PanelComponent

CALLS = []
SEEN = []
ACT = [lambda number: None]


def draw(data):
    """Return as a picture what it would be drawn from."""
    CALLS.append([item.example.id for item in data.fixed])
    ACT[0](len(CALLS))
    text = "".join(f"{item.predicted.tolist()} {item.base} {item.estimate}\\n" for item in data.fixed)
    panels = [Panel("First", "caption", text.encode())]
    return panels if data.worst else [*panels, Panel("Second", "caption", b"second")]


class Seeing(Observer):
    def panels_drawn(self, panels):
        SEEN.append([panel.title for panel in panels])


@hookimpl
def jointtask_panels():
    return [PanelComponent("text", NoSettings, lambda settings, context: draw, "text", bridge="toy-interval")]


@hookimpl
def jointtask_observers():
    return [Component("seeing", NoSettings, lambda settings, context: Seeing(), "panels")]
'''
RESULTS = ("model.safetensors", "latents.safetensors", "history.jsonl")


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    file = tmp_path / "pictures.py"
    file.write_text(PLUGIN)
    return file


@pytest.fixture
def registry(plugin: Path) -> Registry:
    return load_registry([str(TOY), str(plugin)])


def pictures(registry: Registry) -> Any:
    return registry.plugins.manager.get_plugin("pictures")


def start(folder: Path, registry: Registry, *overrides: str, fresh: bool = False) -> RunRecord:
    file = folder / "run.toml"
    file.write_text(run_file(str(folder / "runs")))
    runfile = load(file, ["run.panels_each_round=2", *overrides], registry)
    return run(runfile, registry, fresh=fresh, progress=SilentProgress())


def drawn(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "runs" / "toy" / "panels").iterdir())}


def test_each_round_has_its_files_and_the_page_shows_them(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry, 'observer=[{name="seeing"}]')
    files = drawn(tmp_path)
    assert list(files) == [f"round-000{number}-{place}.png" for number in range(3) for place in (1, 2)]
    assert len({files[f"round-000{number}-1.png"] for number in range(3)}) == 3
    assert b"None" in files["round-0000-1.png"]
    assert b"None" not in files["round-0002-1.png"]
    calls = pictures(registry).CALLS
    assert len(calls) == 4
    assert calls[0] == calls[1] == calls[2]
    assert len(calls[0]) == 2
    assert pictures(registry).SEEN == [["First", "Second"]] * 3 + [["First"]]
    page = (tmp_path / "runs" / "toy" / "report.html").read_text()
    for title in ("After the warm-up", "After round 1", "After round 2"):
        assert page.count(f"<h3>{title}</h3>") == 2


@pytest.mark.parametrize("count", [0, 1, 3, 24])
def test_the_run_is_the_same_with_panels_and_without(count: int, tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry, "run.name=none", "run.panels_each_round=0")
    start(tmp_path, registry, "run.name=some", f"run.panels_each_round={count}")
    none, some = (tmp_path / "runs" / name for name in ("none", "some"))
    assert not (none / "panels").exists()
    assert (some / "panels").exists() is (count > 0)
    for name in RESULTS:
        assert (none / name).read_bytes() == (some / name).read_bytes()


@pytest.mark.parametrize("count", ["-1", "25", "1.5", "true", "'2'"])
def test_a_number_out_of_bounds_is_refused(count: str, tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(FaultyFileError, match="panels_each_round"):
        start(tmp_path, registry, f"run.panels_each_round={count}")


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_run_that_is_stopped_while_it_draws_ends_with_the_same_files(
    call: int, tmp_path: Path, registry: Registry
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    start(whole, registry)
    module = pictures(registry)
    module.CALLS.clear()
    module.ACT[0] = lambda number: os.kill(os.getpid(), signal.SIGTERM) if number == call else None
    with pytest.raises(StoppedError):
        start(parts, registry)
    module.ACT[0] = lambda number: None
    start(parts, registry)
    assert drawn(parts) == drawn(whole)
    for name in RESULTS:
        assert (parts / "runs" / "toy" / name).read_bytes() == (whole / "runs" / "toy" / name).read_bytes()


def test_a_run_that_fails_before_a_round_is_saved_draws_it_again(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jointtask.running import directory

    save, folder = directory.RunDirectory.save_checkpoint, tmp_path / "runs" / "toy" / "panels"

    def full(self: Any, checkpoint: Any) -> None:
        if len(panel_files(folder)) == 4:
            raise OSError(28, "No space left on device")
        save(self, checkpoint)

    with monkeypatch.context() as patch:
        patch.setattr(directory.RunDirectory, "save_checkpoint", full)
        with pytest.raises(OSError, match="No space left"):
            start(tmp_path, registry)
    before = drawn(tmp_path)
    start(tmp_path, registry)
    after = drawn(tmp_path)
    assert len(after) == 6
    assert {name: after[name] for name in before} == before


def test_a_panel_that_fails_does_not_end_the_run(tmp_path: Path, registry: Registry) -> None:
    def fail(number: int) -> None:
        raise SystemExit(0)

    pictures(registry).ACT[0] = fail
    assert start(tmp_path, registry).finished
    assert not (tmp_path / "runs" / "toy" / "panels").exists()


def test_a_bridge_without_panels_has_no_files(tmp_path: Path) -> None:
    start(tmp_path, load_registry([str(TOY)]))
    assert not (tmp_path / "runs" / "toy" / "panels").exists()


def test_fresh_removes_the_panels_and_nothing_beside_them(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry)
    own = tmp_path / "runs" / "toy" / "panels" / "mine.png"
    own.write_bytes(b"mine")
    start(tmp_path, registry, "run.panels_each_round=0", fresh=True)
    assert drawn(tmp_path) == {"mine.png": b"mine"}


def test_a_finished_run_that_is_made_whole_keeps_them_on_its_page(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry)
    page = tmp_path / "runs" / "toy" / "report.html"
    before = page.read_bytes()
    page.unlink()
    start(tmp_path, registry)
    assert page.read_bytes() == before


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "runs" / "toy").mkdir(parents=True)
    (tmp_path / "runs" / "toy" / "panels").write_text("mine")
    with pytest.raises(ConfigError, match=r"panels is a file, where a run keeps a folder"):
        start(tmp_path, registry)


@pytest.mark.parametrize(
    ("rounds", "shown"),
    [
        ([], []),
        ([0], [0]),
        ([0, 1, 2, 10], [0, 1, 2, 10]),
        (range(9), [0, 1, 2, 3, 4, 5, 6, 8]),
        (range(101), [0, 14, 28, 42, 57, 71, 85, 100]),
        ([9999, 10000, 10001], [9999, 10000, 10001]),
    ],
)
def test_the_page_has_the_first_the_last_and_some_between(
    rounds: Sequence[int], shown: Sequence[int], tmp_path: Path
) -> None:
    for number in rounds:
        (tmp_path / f"round-{number:04d}-1.png").write_bytes(str(number).encode())
    for name in ("round-1.png", "round-x-1.png", "round-\u00b2-1.png", "other.png", "round-0001-1.png.part"):
        (tmp_path / name).write_bytes(b"no")
    (tmp_path / "round-0277-7.png").mkdir()
    os.mkfifo(tmp_path / "round-0278-1.png")
    assert [int(panel.png) for panel in round_panels(tmp_path)] == list(shown)


def test_a_folder_that_is_not_there_has_no_panels(tmp_path: Path) -> None:
    assert panel_files(tmp_path / "none") == []
