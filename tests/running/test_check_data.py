from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toy import BumpData, Bumps

from jointtask import cli

Check = Callable[..., tuple[int, str, str]]

PLUGIN = """
import attrs
from jointtask import hookimpl
from jointtask.api.component import Component
from jointtask.api.errors import DataError, RunError
from toy import BumpData, Bumps


@attrs.frozen
class Settings:
    examples: int = 4
    seed: int = 0
    fault: str = ""


def build(settings, context):
    if settings.fault == "data":
        raise DataError("no such folder", remedy="name one")
    if settings.fault == "run":
        raise RunError("the cache is full")
    if settings.fault:
        raise ValueError("out of order")
    return Bumps(BumpData(settings.examples, settings.seed))


@hookimpl
def jointtask_datasets():
    return [Component("lines", Settings, build, "lines")]
"""
TABLES = """
[data.train]
name = "lines"
[data.validation]
name = "lines"
seed = 1
[data.test]
name = "lines"
seed = 2
[upstream]
name = "nobody-has-this"
"""


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Check]:
    """Check the tables above with overrides; returns exit code, output and messages."""
    monkeypatch.setenv("JOINTTASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    (tmp_path / "lines.py").write_text(PLUGIN)
    (tmp_path / "run.toml").write_text(TABLES)

    def run(*overrides: str, json: bool = False) -> tuple[int, str, str]:
        sets = [word for text in overrides for word in ("--set", text)]
        files = [str(tmp_path / "run.toml"), "--plugin", str(tmp_path / "lines.py")]
        with pytest.raises(SystemExit) as caught:
            cli.main(["data", "check", *files, *sets, *["--json"] * json])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    yield run
    sys.modules.pop("jointtask_file_lines", None)


def test_each_table_is_told_whatever_else_the_file_holds(check: Check) -> None:
    code, out, _ = check()
    assert code == 0
    assert out.count("'lines' of lines.py sha256:") == 3
    assert out.count(", 4 examples, fingerprint ") == 3
    assert out.count("  generated\n") == 3
    assert out.endswith("no example is in two of train, validation, test\n")


def test_what_is_learned_from_and_scored_is_leakage(check: Check) -> None:
    code, out, _ = check("data.test.seed=0", "data.test.examples=2")
    assert code == 0
    assert out.endswith("leakage: train and test share 2 examples: 0-0000, 0-0001\n")


def test_the_faults_of_all_tables_are_told_and_the_others_read(check: Check) -> None:
    code, out, err = check("data.train.fault=data", "data.test.fault=own")
    assert code == 2
    assert "cannot be used\n  no such folder\n    remedy: name one\n" in out
    assert "cause: ValueError: out of order" in out
    assert "validation: 'lines'" in out
    assert "4 examples" in out
    assert "Traceback" not in out + err


def test_faults_of_the_tables_themselves_are_those_of_the_file(check: Check) -> None:
    code, out, err = check("data.train.example=3", 'data.test.seed="1"', "upstream.name=x")
    assert (code, out) == (2, "")
    assert ": 2 problems" in err
    assert "did you mean 'examples'?" in err


def test_a_cache_that_cannot_be_used_is_no_fault_of_a_table(check: Check) -> None:
    code, out, err = check("data.train.fault=run")
    assert (code, out) == (1, "")
    assert "the cache is full" in err


def test_json(check: Check) -> None:
    code, out, _ = check("data.validation.fault=data", "data.test.seed=0", json=True)
    report = json.loads(out)
    assert code == 2
    assert [(table["table"], table["examples"]) for table in report["tables"]] == [
        ("train", 4),
        ("validation", 0),
        ("test", 4),
    ]
    assert report["tables"][1]["error"].startswith("no such folder")
    assert report["overlaps"][0]["ids"][0] == ["0-0000", "0-0000"]


def test_a_data_set_that_tells_too_few_input_digests_is_a_fault_of_its_plugin(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Bumps.__init__

    def tell_one(self: Bumps, settings: BumpData) -> None:
        make(self, settings)
        self.input_digests = ["aa"]

    monkeypatch.setattr(Bumps, "__init__", tell_one)
    code, out, _ = check()
    assert code == 2
    assert "has 1 input_digests and 4 examples" in out
