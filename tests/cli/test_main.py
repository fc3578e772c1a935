"""Exit codes, messages of errors, help, and the commands of plugins."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., tuple[int, str, str]]
Install = Callable[..., None]

FAILING = """
import errno, os
from jointtask import hookimpl
from jointtask.api import Command, RunError

def fail(what: str) -> None:
    if what == "run error":
        raise RunError("the loss is NaN", cause="rate too high", remedy="lower it")
    if what == "interruption":
        raise KeyboardInterrupt
    if what.isdecimal():
        raise OSError(int(what), os.strerror(int(what)), "/runs/light/model.safetensors")
    raise ZeroDivisionError("oops")

@hookimpl
def jointtask_commands():
    return [Command("fail", "fail as it is told", "failing:fail")]
"""


def test_wrong_commands(call: Call, tmp_path: Path) -> None:
    assert call("rnu")[0] == 2
    assert call("run")[0] == 2
    assert call("run", "x.toml", "--nope")[0] == 2
    code, _, err = call("run", str(tmp_path / "missing.toml"))
    assert code == 2
    assert "No such file" in err
    assert call("run", "x.toml", "--plugin", str(tmp_path / "missing.py"))[0] == 2


def test_version(call: Call) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert call("--version")[:2] == (0, f"jointtask {project['version']}\n")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, light_plugin: Path, call: Call, install: Install) -> None:
    """Install `light_plugin`, whose commands live in a module beside it."""

    install("light", light_plugin.read_text(), distribution="light-distribution")
    monkeypatch.syspath_prepend(str(light_plugin.parent))
    monkeypatch.delitem(sys.modules, "light_commands", raising=False)


@pytest.mark.usefixtures("installed")
def test_commands_of_plugins_are_listed_and_imported_when_called(call: Call) -> None:
    code, out, _ = call("--help")
    assert code == 0
    assert "greet" in out
    assert "say hello" in out
    assert "light_commands" not in sys.modules
    assert call("greet", "you")[:2] == (0, "hello you\n")
    assert "light_commands" in sys.modules
    assert call("greet", "nobody")[0] == 1
    code, out, _ = call("greet", "--help")
    assert code == 0
    assert "NAME" in out


@pytest.mark.usefixtures("installed")
def test_a_command_that_cannot_be_loaded(call: Call) -> None:
    code, _, err = call("broken")
    assert code == 2
    assert err.startswith("the command 'broken' of light-distribution 1.2 cannot be loaded")
    assert "No module named 'no_such'" in err


def test_an_unknown_command_names_the_plugins_that_failed(call: Call, install: Install) -> None:
    install("crashy", "raise ImportError('no cv2')", distribution="crashy-distribution")
    code, _, err = call("extract", "x.png")
    assert code == 2
    assert "no command is called 'extract'" in err
    assert "ImportError: no cv2" in err
    assert call("--help")[0] == 0


@pytest.fixture
def fail(call: Call, install: Install) -> Call:
    """Install a command that fails, and call it."""
    install("failing", FAILING, distribution="failing-distribution")
    return lambda what: call("fail", what)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG])
def test_storage_that_cannot_be_written(fail: Call, code: int) -> None:
    exit_code, _, err = fail(str(code))
    assert exit_code == 1
    assert err.splitlines()[-2].startswith(f"/runs/light/model.safetensors: {os.strerror(code)}")
    assert err.splitlines()[-1].startswith("  remedy: ")
    assert "Traceback" not in err


def test_errors_interruptions_and_bugs(fail: Call) -> None:
    code, _, err = fail("run error")
    assert code == 1
    assert err.endswith("the loss is NaN\n  cause: rate too high\n  remedy: lower it\n")
    code, _, err = fail("interruption")
    assert code == 130
    assert "Traceback" not in err
    code, _, err = fail("bug")
    assert code == 1
    assert "ZeroDivisionError: oops" in err
    assert "This is a bug" in err


def test_a_closed_pipe_is_no_error() -> None:
    command = [sys.executable, "-m", "jointtask", "components"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom jointtask.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(','.join(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    heavy = {"torch", "numpy", "matplotlib", "rich.console", "cattrs", "jinja2", "cv2", "skimage", "safetensors"}
    assert not heavy & set(done.stdout.splitlines()[-1].split(","))
