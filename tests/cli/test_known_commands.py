"""The help lists the commands of plugins without loading them, and is right whenever a plugin changes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jointtask import cli

Install = Callable[..., None]

PLUGIN = """
import builtins
from jointtask import hookimpl
from jointtask.api import Command

builtins.loads = getattr(builtins, "loads", 0) + 1


@hookimpl
def jointtask_commands():
    return [Command("{name}", "{summary}", "nowhere:function")]
"""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, core_alone: None) -> None:
    monkeypatch.setenv("JOINTTASK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def shown(*arguments: str) -> str:
        for module in ("first", "second"):
            sys.modules.pop(module, None)
        with pytest.raises(SystemExit):
            cli.main(arguments or ["--help"])
        out, err = capsys.readouterr()
        return out + err

    return shown


@pytest.fixture
def first(install: Install, tmp_path: Path, shown: Callable[..., str]) -> Path:
    """Install a plugin with the command `greet`, and see it once; return its file."""
    install("first", PLUGIN.format(name="greet", summary="say hello"), distribution="first-distribution")
    assert "greet       say hello" in shown()
    return tmp_path / "site-packages" / "first.py"


def loads() -> int:
    import builtins

    return int(builtins.loads)  # type: ignore[attr-defined]


def test_the_second_help_loads_no_plugin(first: Path, shown: Callable[..., str]) -> None:
    before = loads()
    for _ in range(3):
        assert "greet       say hello" in shown()
    assert loads() == before
    assert "cannot be loaded" in shown("greet")
    assert loads() == before + 1


@pytest.mark.parametrize(
    "change", ["edited", "another command", "removed", "disabled", "another plugin", "another version"]
)
def test_a_change_of_the_plugins_is_seen(
    change: str, first: Path, install: Install, shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = first.with_name("first_distribution-1.2.dist-info")
    if change == "edited":
        first.write_text(PLUGIN.format(name="greet", summary="say good day"))
    elif change == "another command":
        first.write_text(PLUGIN.format(name="wave", summary="move a hand"))
    elif change == "removed":
        (metadata / "entry_points.txt").unlink()
    elif change == "disabled":
        monkeypatch.setenv("JOINTTASK_DISABLE_PLUGINS", f"{os.environ['JOINTTASK_DISABLE_PLUGINS']},first")
    elif change == "another plugin":
        install("second", PLUGIN.format(name="wave", summary="move a hand"), distribution="second-distribution")
    else:
        metadata.rename(first.with_name("first_distribution-1.3.dist-info"))
        text = first.with_name("first_distribution-1.3.dist-info") / "METADATA"
        text.write_text(text.read_text().replace("1.2", "1.3"))
    # A file system may tell times to two seconds only.
    for path in first.parent.glob("*.py"):
        os.utime(path, ns=(2**60, 2**60)) if change in ("edited", "another command") else None
    told = shown()
    assert ("say hello" in told) is (change in ("another plugin", "another version"))
    assert ("say good day" in told) is (change == "edited")
    assert ("move a hand" in told) is (change in ("another command", "another plugin"))


def test_a_plugin_that_failed_is_tried_again(install: Install, shown: Callable[..., str], tmp_path: Path) -> None:
    broken = "import os\nif not os.environ.get('MENDED'):\n    raise ImportError('needs something')\n"
    install("first", broken + PLUGIN.format(name="greet", summary="say hello"), distribution="first-distribution")
    assert "greet" not in shown()
    assert "needs something" in shown("greet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MENDED", "1")
        assert "say hello" in shown()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"of": []}', b'{"commands": {"wave": "x"}, "of": 3}', b"[" * 100_000],
)
def test_what_is_remembered_may_be_damaged(
    content: bytes, first: Path, shown: Callable[..., str], tmp_path: Path
) -> None:
    (file,) = (tmp_path / "cache").glob("commands-*.json")
    file.write_bytes(content)
    assert "greet       say hello" in shown()
    assert json.loads(file.read_text())["commands"] == {"greet": "say hello"}


@pytest.mark.parametrize("commands", [[], {"greet": 3}, {"greet": None}, "greet", {"greet": ["say hello"]}])
def test_commands_of_another_form_are_not_taken(
    commands: object, first: Path, shown: Callable[..., str], tmp_path: Path
) -> None:
    (file,) = (tmp_path / "cache").glob("commands-*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "commands": commands}))
    assert "greet       say hello" in shown()


@pytest.mark.parametrize("place", ["file", "folder in the place of the file", "unwritable"])
def test_a_cache_that_cannot_be_used_costs_nothing(
    place: str, install: Install, shown: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("first", PLUGIN.format(name="greet", summary="say hello"), distribution="first-distribution")
    cache = tmp_path / "cache"
    if place == "file":
        cache.write_text("mine")
    elif place == "unwritable":
        monkeypatch.setenv("JOINTTASK_CACHE", "/proc/nowhere")
    else:
        shown()
        (file,) = cache.glob("commands-*.json")
        file.unlink()
        file.mkdir()
    for _ in range(2):
        assert "greet       say hello" in shown()


def test_what_was_put_there_by_somebody_else_is_shown_and_never_run(
    first: Path, shown: Callable[..., str], tmp_path: Path
) -> None:
    (file,) = (tmp_path / "cache").glob("commands-*.json")
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "commands": {"evil": "\x1b[2Jnothing"}}))
    assert "\x1b" not in shown()
    assert "no command is called 'evil' any more" in shown("evil")
