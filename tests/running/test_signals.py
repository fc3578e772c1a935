"""Signals at any moment of a run: it is stopped with a message, nothing is lost, and it ends as it would have."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from toy import run_file

from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import load
from jointtask.running.autosave import StoppedError
from jointtask.running.run import run
from jointtask.running.signals import Interrupted, Signals
from jointtask.tools.progress import SilentProgress

HERE = Path(__file__).parents[1]
PLUGINS = [str(HERE / name) for name in ("toy.py", "stopping.py")]
TABLES = {
    "data.train": 'name = "stopping-bumps"\nexamples = 20',
    "data.validation": 'name = "toy-bumps"\nexamples = 4\nseed = 1',
    "data.test": 'name = "toy-bumps"\nexamples = 4\nseed = 2',
    "upstream": 'name = "stopping-locate"\noptimizer = { rate = 0.003 }',
    "downstream": 'name = "stopping-label"\noptimizer = { name = "sgd", rate = 0.01 }',
    "evaluate": 'metrics = ["stopping-accuracy"]\npredictors = ["toy-nothing"]',
    "em": "warmup_epochs = 1\nrounds = 2\nbatch_size = 10\nestep_batch = 10\noracle_examples = 2\n"
    "downstream_batch = 20",
}
NAMES = ("model.safetensors", "latents.safetensors", "history.jsonl")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(PLUGINS)


@pytest.fixture
def stopping(registry: Registry) -> Iterator[ModuleType]:
    module: Any = registry.plugins.manager.get_plugin("stopping")
    yield module
    module.CALLS.clear()


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTTASK_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _hang_up() -> Iterator[None]:
    """Let SIGHUP do what it does in a terminal: tests that run under `nohup` would inherit that it is ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def start(folder: Path, registry: Registry, *overrides: str) -> None:
    file = folder / "run.toml"
    text = run_file(str(folder / "runs"), **TABLES) + '[[proposal]]\nname = "prepared"\n'
    file.write_text(text)
    run(load(file, overrides, registry), registry, fresh=False, progress=SilentProgress())


def outcome(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "runs" / "toy" / name).read_bytes() for name in NAMES}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOINTTASK_CACHE", str(folder / "cache"))
        start(folder, registry)
    return outcome(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize(
    ("part", "calls"),
    [
        ("data", 1),
        ("prepare", 3),
        ("upstream", 4),  # the first batch of the warm-up
        ("upstream", 9),
        ("downstream", 12),
        ("downstream", 40),
        ("score", 1),
        ("score", 14),  # the final scores
        ("panel", 1),
        ("observer", 1),
    ],
)
def test_a_run_stopped_anywhere_says_so_and_ends_the_same(
    part: str,
    calls: int,
    number: int,
    whole: dict[str, bytes],
    tmp_path: Path,
    registry: Registry,
    stopping: ModuleType,
) -> None:
    name = signal.Signals(number).name
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    stopping.arm(part, calls, number)
    with pytest.raises(StoppedError, match=f"stopped by {name}; ") as caught:
        start(tmp_path, registry)
    saved = (
        "nothing was trained yet"
        if part in ("data", "prepare") or (part, calls) == ("score", 1)
        else "everything is saved in"
    )
    assert saved in caught.value.message
    assert "run the same command again" in caught.value.remedy
    assert caught.value.exit_code == 1
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == before
    stopping.CALLS.clear()
    start(tmp_path, registry)
    assert outcome(tmp_path) == whole


def test_a_second_signal_does_not_wait_for_the_batch(tmp_path: Path, registry: Registry, stopping: ModuleType) -> None:
    stopping.arm("downstream", 5, signal.SIGTERM)
    twice = stopping.os.kill

    def kill(process: int, number: int) -> None:
        twice(process, number)
        twice(process, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stopping.os, "kill", kill)
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path, registry)


@pytest.mark.parametrize(("part", "calls"), [("prepare", 3), ("downstream", 40), ("panel", 1)])
def test_the_command_says_one_line_and_exits_with_1(part: str, calls: int, tmp_path: Path) -> None:
    text = run_file(str(tmp_path / "runs"), **TABLES) + '[[proposal]]\nname = "prepared"\n'
    (tmp_path / "run.toml").write_text(text)
    command = [sys.executable, "-m", "jointtask", "run", str(tmp_path / "run.toml")]
    command += [f"--plugin={plugin}" for plugin in PLUGINS]
    stop = {"STOP_PART": part, "STOP_CALLS": str(calls), "STOP_SIGNAL": str(int(signal.SIGHUP))}
    paths = {"PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **stop, **paths})
    assert done.returncode == 1
    assert done.stderr.count("stopped by SIGHUP") == 1
    assert "Traceback" not in done.stderr


def test_nohup_keeps_a_run_alive() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_that_nothing_acted_on_is_raised_at_the_end() -> None:
    signals = Signals()
    with pytest.raises(Interrupted), signals, signals.deferred():
        signal.raise_signal(signal.SIGTERM)
    assert signals.asked == signal.SIGTERM
