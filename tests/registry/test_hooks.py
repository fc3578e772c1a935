"""Observers see a run from start to end; every hook is implemented by a plugin that the tests load."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jointtask.api.errors import RunError
from jointtask.api.record import RunRecord
from jointtask.registry.discover import load_plugins
from jointtask.registry.hooks import HOOKS
from jointtask.testing.trial import RUN_FILE

PluginFile = Callable[..., str]
Run = Callable[..., RunRecord]
TRIAL = "jointtask.testing.trial"
HERE = Path(__file__).parents[1]

OBSERVER = """
from pathlib import Path

def note(text):
    with Path({log!r}).open("a") as file:
        file.write(text + "\\n")

@hookimpl
def jointtask_run_started(record):
    note(f"started {{record.name}} {{len(record.rounds)}}")

@hookimpl
def jointtask_round_finished(record):
    note(f"round {{record.round}}")

@hookimpl
def jointtask_run_finished(record):
    note(f"finished {{record.name}} {{record.finished}}")

@hookimpl
def jointtask_run_failed(record, error):
    note(f"failed {{record.name}} {{type(error).__name__}} {{error}}")

def fail(target, random):
    raise ValueError("on purpose")

@hookimpl
def jointtask_samplers():
    build = lambda settings, context: fail
    return [SamplerComponent("failing", NoSettings, build, "fails", exact=False, proposal="none")]
"""


@pytest.fixture
def watched(tmp_path: Path, plugin_file: PluginFile, jointtask_run: Run) -> Callable[..., list[str]]:
    def run(*overrides: str) -> list[str]:
        log = tmp_path / "log.txt"
        try:
            jointtask_run(RUN_FILE, *overrides, plugins=(TRIAL, plugin_file(OBSERVER.format(log=str(log)))))
        finally:
            lines = log.read_text().splitlines()
        return lines

    return run


def test_observers_see_a_run_from_start_to_end(watched: Callable[..., list[str]]) -> None:
    assert watched() == ["started trial 0", "round 0", "round 1", "round 2", "finished trial True"]


def test_observers_see_a_run_fail(watched: Callable[..., list[str]], tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"the sampler 'failing' of odd\.py sha256:\w+ failed"):
        watched("sampler.name=failing")
    *before, last = (tmp_path / "log.txt").read_text().splitlines()
    assert before == ["started trial 0", "round 0"]
    assert last == "failed trial ValueError on purpose"


def test_every_hook_has_a_test() -> None:
    """By a plugin that the tests load: in a file of theirs, or in the plugin guide, whose code they run."""
    files = [*HERE.rglob("*.py"), HERE.parent / "docs" / "plugins.md"]
    implemented = {name for file in files for name in re.findall(r"^def (jointtask_\w+)\(", file.read_text(), re.M)}
    assert not set(HOOKS) - implemented, "no test loads a plugin with these hooks"


def test_an_implementation_may_take_fewer_arguments_than_its_hook(plugin_file: PluginFile) -> None:
    loaded: Any = load_plugins([plugin_file("@hookimpl\ndef jointtask_run_failed(error):\n    ...\n")])
    assert "odd" in loaded.loaded
