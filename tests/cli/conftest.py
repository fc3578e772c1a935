"""Commands called in this process, as a user would."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jointtask import cli

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], core_alone: None) -> Call:
    """Run a command with no plugin installed; returns its exit code, output and messages."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run
