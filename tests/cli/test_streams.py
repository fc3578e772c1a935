"""Output into any encoding, into closed streams, and with control characters in names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from installed import others_installed

from jointtask.api.names import printable

PLUGIN = """
from jointtask import hookimpl
from jointtask.api.component import Component, NoSettings

@hookimpl
def jointtask_metrics():
    summary = "higher is better \\u2191 \\u2013 caf\\u00e9 \\u6f22 \\U0001f600 \\udce9 \\x1b[31m"
    return [Component("odd", NoSettings, print, summary)]
"""


def call(folder: Path, arguments: str, *, redirect: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    (folder / "odd.py").write_text(PLUGIN)
    command = f"{sys.executable} -m jointtask {arguments} {redirect}"
    environment = {**os.environ, "JOINTTASK_DISABLE_PLUGINS": others_installed(), **environment}
    return subprocess.run(["sh", "-c", command], cwd=folder, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii", "cp932", "latin-1", "utf-8:strict", "utf-16"])
def test_every_encoding_takes_every_text(tmp_path: Path, encoding: str) -> None:
    done = call(tmp_path, "components metric --plugin odd.py", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode(encoding.partition(":")[0])
    assert "higher is better" in shown
    assert "\\udce9" in shown
    assert "\\x1b[31m" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("encoding", ["ascii", "utf-8:strict"])
def test_json_stays_json(tmp_path: Path, encoding: str) -> None:
    done = call(tmp_path, "components metric --json --plugin odd.py", PYTHONIOENCODING=encoding)
    (metric,) = json.loads(done.stdout.decode(encoding.partition(":")[0]))
    assert "\u2191 \u2013 caf\u00e9 \u6f22 \U0001f600 \udce9 \x1b[31m" in metric["summary"]


@pytest.mark.parametrize("redirect", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(tmp_path: Path, redirect: str) -> None:
    assert call(tmp_path, "components metric --plugin odd.py", redirect=redirect).returncode == 0


def test_a_fault_is_told_by_its_exit_code_where_nobody_reads_it(tmp_path: Path) -> None:
    assert call(tmp_path, "components nonsense", redirect=">&- 2>&-").returncode == 2


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\x9b", "\r", "\x7f", "\u202e", "\u2066"])
def test_a_name_cannot_steer_the_terminal(character: str) -> None:
    shown = printable(f"a{character}b\n\tc")
    assert character not in shown
    assert shown.startswith("a\\")
    assert shown.endswith("b\n\tc")
