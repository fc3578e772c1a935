"""Run directories that somebody edited: each is read, or refused with what to do; none ends in a traceback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from toy import run_file

from jointtask.api.errors import UserError
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import load
from jointtask.running.evaluate import evaluate_run
from jointtask.running.run import run
from jointtask.running.trained import load_predictor
from jointtask.tools.progress import SilentProgress

TOY = Path(__file__).parents[1] / "toy.py"
Edit = Callable[[Path], object]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry([str(TOY)])


def start(folder: Path, registry: Registry, *, fresh: bool = False) -> None:
    em = "warmup_epochs = 1\nrounds = 1\nbatch_size = 16\noracle_examples = 1"
    (folder / "run.toml").write_text(run_file(str(folder / "runs"), em=em))
    run(load(folder / "run.toml", (), registry), registry, fresh=fresh, progress=SilentProgress())


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    folder = tmp_path_factory.mktemp("original")
    start(folder, registry)
    return folder / "runs"


def replaced(name: str, text: str) -> Edit:
    return lambda directory: (directory / name).write_text(text)


def without(name: str) -> Edit:
    def edit(directory: Path) -> None:
        path = directory / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return edit


def as_folder(name: str) -> Edit:
    def edit(directory: Path) -> None:
        (directory / name).unlink(missing_ok=True)
        (directory / name).mkdir()

    return edit


def as_file(name: str) -> Edit:
    def edit(directory: Path) -> None:
        shutil.rmtree(directory / name)
        (directory / name).write_text("")

    return edit


def as_pipe(name: str) -> Edit:
    def edit(directory: Path) -> None:
        (directory / name).unlink(missing_ok=True)
        os.mkfifo(directory / name)

    return edit


def as_link(name: str, target: str) -> Edit:
    def edit(directory: Path) -> None:
        (directory / name).unlink(missing_ok=True)
        (directory / name).symlink_to(target)

    return edit


def with_checkpoint(name: str, text: str | None = "nothing") -> Edit:
    def edit(directory: Path) -> None:
        path = directory / "checkpoints" / f"{name}.safetensors"
        path.mkdir() if text is None else path.write_text(text)

    return edit


def with_checkpoint_of_other_networks(directory: Path) -> None:
    """As a plugin does that changed its networks and not its version; the digest is right."""
    from jointtask.em.state import Checkpoint
    from jointtask.running.checkpoint import latest_checkpoint, save_checkpoint

    checkpoint, _ = latest_checkpoint(directory / "checkpoints")
    assert checkpoint is not None
    tensors = {name.replace("hidden", "other"): tensor for name, tensor in checkpoint.tensors.items()}
    save_checkpoint(directory / "checkpoints", Checkpoint(tensors, checkpoint.state))


def with_checkpoint_of_another_version(directory: Path) -> None:
    from jointtask.em.state import Checkpoint
    from jointtask.running.checkpoint import latest_checkpoint, save_checkpoint

    checkpoint, _ = latest_checkpoint(directory / "checkpoints")
    assert checkpoint is not None
    state = {key: value for key, value in checkpoint.state.items() if key != "history"}
    save_checkpoint(directory / "checkpoints", Checkpoint(checkpoint.tensors, state))


def model_of_names_alone(directory: Path) -> None:
    weights = load_file(directory / "model.safetensors")
    save_file({name.partition(".")[2]: tensor for name, tensor in weights.items()}, directory / "model.safetensors")


READ: dict[str, Edit] = {
    "superscript digits among the checkpoints": with_checkpoint("²³"),
    "arabic digits among the checkpoints": with_checkpoint("٣"),
    "a folder among the checkpoints": with_checkpoint("00000099", None),
    "a damaged checkpoint": with_checkpoint("00000099"),
    "an empty checkpoint": with_checkpoint("00000098", ""),
    "no report": without("report.json"),
    "a report that is a list": replaced("report.json", "[]"),
    "a report of another shape": replaced("report.json", '{"name": 3}'),
    "no timing": without("timing.jsonl"),
    "no checkpoints": without("checkpoints"),
    "a note": replaced("notes.txt", "mine"),
    "a mark that is text": replaced("finished.json", "yes"),
}

REFUSED: dict[str, tuple[Edit, str]] = {
    "an empty config": (replaced("config.toml", ""), "config.toml"),
    "a config of one table": (replaced("config.toml", "[run]\nname = 'x'\n"), "config.toml"),
    "a config whose tables are numbers": (replaced("config.toml", "em = 3\nrun = 4\n"), "config.toml"),
    "a config that is no TOML": (replaced("config.toml", "\x00"), "config.toml"),
    "versions that are a list": (replaced("versions.json", "[]"), "versions.json"),
    "versions that are null": (replaced("versions.json", "null"), "versions.json"),
    "versions whose parts are lists": (replaced("versions.json", '{"plugins": [], "data": 3}'), "versions.json"),
    "versions without parts": (replaced("versions.json", "{}"), "holds another run"),
    "no versions": (without("versions.json"), "versions.json"),
    "a folder called config.toml": (as_folder("config.toml"), "config.toml"),
    "a folder called report.json": (as_folder("report.json"), "report.json"),
    "a folder called history.jsonl": (as_folder("history.jsonl"), "history.jsonl"),
    "a folder called model.safetensors": (as_folder("model.safetensors"), "model.safetensors"),
    "a folder called finished.json": (as_folder("finished.json"), "finished.json"),
    "a file called checkpoints": (as_file("checkpoints"), "checkpoints"),
    "a pipe called config.toml": (as_pipe("config.toml"), "config.toml is a pipe or device"),
    "a pipe called history.jsonl": (as_pipe("history.jsonl"), "history.jsonl is a pipe or device"),
    "a pipe called model.safetensors": (as_pipe("model.safetensors"), "model.safetensors is a pipe or device"),
    "a pipe called panels": (as_pipe("panels"), "panels is a pipe or device"),
    "a device called report.json": (as_link("report.json", "/dev/zero"), "report.json is a pipe or device"),
    "a device called finished.json": (as_link("finished.json", "/dev/zero"), "finished.json is a pipe or device"),
    "a folder linked as versions.json": (as_link("versions.json", "/tmp"), "versions.json is a folder"),
    "a checkpoint of other networks": (with_checkpoint_of_other_networks, "checkpoints"),
    "a checkpoint of another version": (with_checkpoint_of_another_version, "checkpoints"),
}


@pytest.mark.parametrize("edit", READ.values(), ids=READ)
def test_what_is_read(edit: Edit, original: Path, tmp_path: Path, registry: Registry) -> None:
    shutil.copytree(original, tmp_path / "runs")
    directory = tmp_path / "runs" / "toy"
    edit(directory)
    load_predictor(directory, plugins=[str(TOY)])
    evaluate_run(str(directory), registry, overrides=[], progress=SilentProgress())
    start(tmp_path, registry)
    for name in ("report.json", "report.html", "timing.jsonl", "finished.json"):
        assert (directory / name).is_file()


@pytest.mark.parametrize(("edit", "named"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_with_a_remedy(
    edit: Edit, named: str, original: Path, tmp_path: Path, registry: Registry
) -> None:
    shutil.copytree(original, tmp_path / "runs")
    directory = tmp_path / "runs" / "toy"
    edit(directory)
    with pytest.raises(UserError) as caught:
        start(tmp_path, registry)
    assert named in str(caught.value)
    assert caught.value.remedy
    if named.startswith(("config.toml", "model.safetensors")):
        with pytest.raises(UserError) as caught:
            load_predictor(directory, plugins=[str(TOY)])
        assert named in str(caught.value)


def test_a_model_without_roles_is_refused(original: Path, tmp_path: Path) -> None:
    shutil.copytree(original, tmp_path / "runs")
    model_of_names_alone(tmp_path / "runs" / "toy")
    with pytest.raises(UserError, match="do not fit the upstream network"):
        load_predictor(tmp_path / "runs" / "toy", plugins=[str(TOY)])


def test_fresh_starts_again_whatever_the_files_hold(original: Path, tmp_path: Path, registry: Registry) -> None:
    shutil.copytree(original, tmp_path / "runs")
    directory = tmp_path / "runs" / "toy"
    for name in ("config.toml", "versions.json", "finished.json", "report.json", "model.safetensors"):
        (directory / name).write_text("[]")
    start(tmp_path, registry, fresh=True)
    assert json.loads((directory / "finished.json").read_text())["rounds"] == 1
