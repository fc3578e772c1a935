"""The command line, called with a plugin of one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jointtask import cli
from jointtask.testing.trial import RUN_FILE

Call = Callable[..., tuple[int, str, str]]
PluginFile = Callable[..., str]
TRIAL = "jointtask.testing.trial"
SMALL = ("em.rounds=1", "em.warmup_epochs=0", "sampler.name=exhaustive")


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, plugin_file: PluginFile
) -> Call:
    """Run the run file, or another command, with a plugin of one file; returns exit code, output and messages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOINTTASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("JOINTTASK_TRACEBACK", raising=False)

    def run(body: str, *sets: str, command: str = "run") -> tuple[int, str, str]:
        file = plugin_file(body)
        overrides = [word for text in (*SMALL, *sets) for word in ("--set", text)]
        with pytest.raises(SystemExit) as caught:
            cli.main([command, str(RUN_FILE), "--plugin", file, "--plugin", TRIAL, *overrides])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run
