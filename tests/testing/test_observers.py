"""`check_observer` passes what only watches, and names what an observer does wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jointtask.testing import check_observer

PLUGIN = """
from pathlib import Path
from jointtask.api import Observer

class Odd(Observer):
    def {method}:
        {body}

@hookimpl
def jointtask_observers():
    return [Component("odd", NoSettings, lambda settings, context: Odd(), "odd")]
"""
METHODS = (
    "run_started(self, record, step)",
    "step_finished(self, record)",
    "round_finished(self, record)",
    "panels_drawn(self, panels)",
    "run_finished(self, record)",
    "run_failed(self, record, error)",
)


@pytest.mark.parametrize("method", METHODS)
def test_an_observer_that_raises(method: str, tmp_path: Path, plugin_file: Callable[..., str]) -> None:
    plugin = plugin_file(PLUGIN.format(method=method, body="raise IndexError('my own bug')"))
    with pytest.raises(AssertionError, match=r"the observer 'odd' of odd.py .* raised IndexError: my own bug"):
        check_observer("odd", tmp_path / "runs", plugins=[plugin])


def test_an_observer_that_changes_the_history(tmp_path: Path, plugin_file: Callable[..., str]) -> None:
    body = "Path(record.directory, 'history.jsonl').write_text('')"
    plugin = plugin_file(PLUGIN.format(method=METHODS[4], body=body))
    with pytest.raises(AssertionError, match="another than without the observer"):
        check_observer("odd", tmp_path / "runs", plugins=[plugin])


def test_an_observer_that_watches(tmp_path: Path, plugin_file: Callable[..., str]) -> None:
    plugin = plugin_file(PLUGIN.format(method=METHODS[0], body="pass"))
    record = check_observer("odd", tmp_path / "runs", plugins=[plugin])
    assert record.finished
    assert [entry.round for entry in record.rounds] == [0, 1, 2, 3]
