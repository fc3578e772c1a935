from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jointtask.tools.cache import cache_folder

NOBODY = "import pwd\ndef getpwuid(uid):\n    raise KeyError(uid)\npwd.getpwuid = getpwuid\n"
UNSET = ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "JOINTTASK_CACHE")


def test_cache_folder_is_the_users_or_the_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JOINTTASK_CACHE", raising=False)
    assert cache_folder().is_absolute()
    assert cache_folder().name == "jointtask"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOINTTASK_CACHE", "here")
    assert cache_folder() == tmp_path / "here"


@pytest.mark.skipif(sys.platform == "win32", reason="a user of Windows has a home folder")
@pytest.mark.parametrize(
    ("environment", "inside"),
    [
        ({}, "{tmp}"),
        ({"JOINTTASK_CACHE": "~/cache"}, "{tmp}"),
        ({"JOINTTASK_CACHE": "{tmp}/chosen"}, "{tmp}/chosen"),
        ({"XDG_CACHE_HOME": "{tmp}/xdg"}, "{tmp}/xdg/jointtask"),
        ({"HOME": "{tmp}/home"}, "{tmp}/home/.cache/jointtask"),
    ],
)
def test_a_user_without_a_home_has_a_cache(tmp_path: Path, environment: dict[str, str], inside: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOBODY)
    given = {name: value.format(tmp=tmp_path) for name, value in environment.items()}
    unset = {name: value for name, value in os.environ.items() if name not in UNSET}
    paths = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "TMPDIR": str(tmp_path)}
    program = "from jointtask.tools import cache_folder; cache_folder(); print(cache_folder())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**unset, **given, **paths},
        capture_output=True,
        text=True,
        check=True,
    )
    folder = done.stdout.strip()
    assert folder.startswith(inside.format(tmp=tmp_path))
    said = done.stderr.splitlines()
    assert len(said) == (folder == f"{tmp_path}/jointtask-{os.getuid()}")
    assert all("JOINTTASK_CACHE" in line for line in said)
