"""The commands `run`, `check` and `evaluate`, on short runs of the trial pair."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from jointtask.api.record import ScoreRecord
from jointtask.cli.tables import score_lines
from jointtask.testing.trial import RUN_FILE

Call = Callable[..., tuple[int, str, str]]
Install = Callable[..., None]
PluginFile = Callable[..., str]

TRIAL = ("--plugin", "jointtask.testing.trial")


@pytest.fixture
def run(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run the trial pair, or check it, in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOINTTASK_CACHE", str(tmp_path / "cache"))
    return lambda *arguments, command="run": call(command, str(RUN_FILE), *TRIAL, *arguments)


def test_run_prints_scores_warnings_and_the_report(run: Call, tmp_path: Path) -> None:
    code, out, _ = run("--set", "evaluate.predictors=['trial-threshold']")
    assert code == 0
    record = json.loads((tmp_path / "runs" / "trial" / "report.json").read_text())
    header, row, *rest = out.splitlines()
    predictors = [score["predictor"] for score in record["scores"]]
    assert predictors[0] == "this run"
    assert "trial-threshold" in predictors
    assert re.split(" {2,}", header) == ["test, 4 examples", *predictors]
    values = [f"{score['values']['accuracy']:.4f}" for score in record["scores"]]
    assert re.split(" {2,}", row) == ["accuracy", *values, "higher is better"]
    assert record["warnings"]
    assert rest == [
        *(f"warning: {line}" for line in record["warnings"]),
        f"report: {tmp_path / 'runs' / 'trial' / 'report.html'}",
    ]
    assert (tmp_path / "runs" / "trial" / "report.html").is_file()


def test_a_score_in_percent_and_one_that_is_no_number() -> None:
    scores = [
        ScoreRecord("this run", "test", 20, {"J": 0.8125, "MAE": 0.05}),
        ScoreRecord("constant", "test", 20, {"J": 0.25, "MAE": float("nan")}),
    ]
    assert score_lines(scores, {"J": {"definition": "overlap", "better": "higher", "percent": True}}) == [
        "test, 20 examples  this run  constant",
        "J                  81.25 %   25.00 %   higher is better",
        "MAE                0.0500    -",
    ]


def test_run_takes_overrides_output_and_fresh(run: Call, tmp_path: Path) -> None:
    arguments = ["--set", "sampler.name=exhaustive", "--set", "em.rounds=1", "--output", "out"]
    code, _, err = run(*arguments)
    assert code == 0
    assert "dropped" not in err
    config = tomllib.loads((tmp_path / "out" / "trial" / "config.toml").read_text())
    assert config["sampler"]["name"] == "exhaustive"
    assert config["em"]["rounds"] == 1
    assert config["run"]["output"] == str(tmp_path / "out")
    code, _, err = run(*arguments)
    assert code == 0
    assert "this run is finished; --fresh starts it again" in err
    code, _, err = run(*arguments, "--fresh")
    assert code == 0
    assert "this run is finished" not in err
    assert "round 1 of 1: objective" in err


def test_faults_of_the_run_file(run: Call) -> None:
    overrides = ["--set", 'run.seed="3"', "--set", "em.rounds=0", "--set", "sampler.movess=1"]
    for command in ("run", "check"):
        code, out, err = run(*overrides, command=command)
        assert (code, out) == (2, "")
        assert ": 3 problems\n" in err
        assert "Traceback" not in err


def test_a_broken_plugin_is_a_warning_unless_it_is_needed(run: Call, install: Install) -> None:
    install("crashy", "raise ImportError('no cv2')", distribution="crashy-distribution")
    code, _, err = run("--set", "em.rounds=1")
    assert code == 0
    assert "warning: not used: crashy" in err
    code, _, err = run("--set", "bridge.name=arch")
    assert code == 2
    assert "no bridge is called 'arch'" in err
    assert "ImportError: no cv2" in err


def test_a_broken_plugin_that_was_named_is_an_error(run: Call, plugin_file: PluginFile) -> None:
    code, _, err = run("--plugin", plugin_file("import no_such_module\n"))
    assert code == 2
    assert "the plugin odd.py" in err
    assert "No module named 'no_such_module'" in err


def test_check_says_what_there_is_and_what_it_takes(run: Call, tmp_path: Path) -> None:
    code, out, _ = run(command="check")
    assert code == 0
    for line in ("train: 8 examples", "test: 4 examples", "training, in all: about "):
        assert f"\n{line}" in out
    assert not (tmp_path / "runs").exists()


def test_evaluate(run: Call, call: Call) -> None:
    assert run("--set", "em.rounds=1")[0] == 0
    code, out, _ = call("evaluate", "runs/trial", *TRIAL, "--set", "data.test.examples=6")
    assert code == 0
    assert out.splitlines()[0].startswith("test, 6 examples")
    assert "higher is better" in out.splitlines()[1]
    code, out, _ = call("evaluate", "runs/trial", *TRIAL, "--json")
    assert code == 0
    scored = json.loads(out)
    assert scored["examples"] == 4
    assert 0 < scored["values"]["accuracy"] < 1
    assert scored["definitions"]["accuracy"]["better"] == "higher"
