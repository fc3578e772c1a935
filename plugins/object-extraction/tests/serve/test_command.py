"""`jointtask serve` as it is started."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from jointtask_object_extraction.serve.options import OPTIONS
from typer.testing import CliRunner

from jointtask.api import UserError
from jointtask.cli.app import app

PAGE = Path(__file__).parents[4] / "docs" / "serve.md"


@pytest.mark.slow
def test_it_answers_at_the_address_that_it_says_until_it_is_ended() -> None:
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    command = [sys.executable, "-u", "-m", "jointtask", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
            with urllib.request.urlopen(f"{address}/health", timeout=60) as answer:
                assert answer.status == 200
            server.send_signal(signal.SIGINT)
            assert server.wait(60) in (0, 130)
            assert server.stderr is not None
            assert "Traceback" not in server.stderr.read()
        finally:
            server.kill()


def test_a_port_that_is_taken_is_told() -> None:
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(app, ["serve", "--port", str(taken.getsockname()[1])])
    assert isinstance(result.exception, UserError)
    assert "cannot be listened at" in result.exception.message


@pytest.mark.parametrize("missing", ["uvicorn", "starlette"])
def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    for name in [name for name in sys.modules if name.startswith(("jointtask_object_extraction.serve.", "starlette."))]:
        monkeypatch.delitem(sys.modules, name)
    result = CliRunner().invoke(app, ["serve", "--port", "0"])
    assert isinstance(result.exception, UserError)
    assert "jointtask-object-extraction[serve]" in result.exception.remedy


def test_the_page_names_every_option() -> None:
    table = PAGE.read_text().partition("| option |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)))) == set(OPTIONS)
