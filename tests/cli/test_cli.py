from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from jointtask import cli
from jointtask.api.errors import RunError
from jointtask.api.metric import Metric, Summary
from jointtask.api.record import RunRecord, ScoreRecord

PluginFile = Callable[..., str]
Call = Callable[..., tuple[int, str, str]]
Install = Callable[..., None]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], core_alone: None) -> Call:
    """Run a command with no plugin installed; returns its exit code, output and messages."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace the engine; what it was called with comes back, and "raise" in it is raised."""
    calls: dict[str, Any] = {}
    scores = [
        ScoreRecord("this run", "test", 20, {"J": 0.8125, "MAE": 0.05}),
        ScoreRecord("constant", "test", 20, {"J": 0.25, "MAE": float("nan")}),
    ]
    known = {"J": {"definition": "overlap", "better": "higher", "percent": True}}

    def run(runfile: Any, registry: Any, *, fresh: bool, progress: Any, world: Any) -> RunRecord:
        calls.update(runfile=runfile, registry=registry, fresh=fresh)
        if "raise" in calls:
            raise calls["raise"]
        return RunRecord("light", "/runs/light", {}, {}, {}, {}, scores=scores, definitions=known, warnings=["hot"])

    def check(runfile: Any, registry: Any, progress: Any, inspect: Any) -> list[str]:
        calls.update(runfile=runfile)
        return ["all is well"]

    def evaluate_run(
        run: str, registry: Any, *, overrides: Any, progress: Any
    ) -> tuple[ScoreRecord, Mapping[str, Metric]]:
        calls.update(run=run, overrides=list(overrides))
        summary = Summary("overlap", "higher", lambda values: 0.0, percent=True)
        return scores[1], {"iou": Metric(lambda prediction, example: 0.0, {"J": summary})}

    for name, function in (("run", run), ("check", check), ("evaluate", evaluate_run)):
        module = type(sys)(f"jointtask.running.{name}")
        setattr(module, function.__name__, function)
        monkeypatch.setitem(sys.modules, f"jointtask.running.{name}", module)
    return calls


@pytest.fixture
def run_file(tmp_path: Path, light_tables: dict[str, Any]) -> str:
    path = tmp_path / "light.toml"
    path.write_text(tomli_w.dumps(light_tables))
    return str(path)


def test_run_prints_scores_warnings_and_the_report(
    call: Call, engine: dict[str, Any], run_file: str, light_plugin: Path
) -> None:
    code, out, _ = call("run", run_file, "--plugin", str(light_plugin))
    assert code == 0
    assert out.splitlines() == [
        "test, 20 examples  this run  constant",
        "J                  81.25 %   25.00 %   higher is better",
        "MAE                0.0500    -",
        "warning: hot",
        "report: /runs/light/report.html",
    ]
    assert engine["fresh"] is False


def test_run_takes_overrides_output_and_fresh(
    call: Call, engine: dict[str, Any], run_file: str, light_plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(light_plugin.parent)
    arguments = ["--set", "sampler.name=exhaustive", "--set", "em.rounds=2", "--output", "out", "--fresh"]
    code, _, err = call("run", run_file, "--plugin", str(light_plugin), *arguments)
    assert code == 0
    assert err == ""  # nothing was dropped
    assert engine["runfile"].em.rounds == 2
    assert engine["runfile"].run.output == str(light_plugin.parent / "out")
    assert engine["fresh"] is True


def test_faults_of_the_run_file(call: Call, run_file: str, light_plugin: Path) -> None:
    overrides = ["--set", 'run.seed="3"', "--set", "em.rounds=0", "--set", "sampler.movess=1"]
    for command in ("run", "check"):
        code, out, err = call(command, run_file, "--plugin", str(light_plugin), *overrides)
        assert (code, out) == (2, "")
        assert ": 3 problems\n" in err
        assert "Traceback" not in err


def test_a_broken_plugin_is_a_warning_unless_it_is_needed(
    call: Call, engine: dict[str, Any], run_file: str, light_plugin: Path, install: Install
) -> None:
    install("crashy", "raise ImportError('no cv2')", distribution="crashy-distribution")
    code, _, err = call("run", run_file, "--plugin", str(light_plugin))
    assert code == 0
    assert "warning: not used: crashy" in err
    code, _, err = call("run", run_file)
    assert code == 2
    assert "no bridge is called 'plank'" in err
    assert "ImportError: no cv2" in err


def test_a_broken_plugin_that_was_named_is_an_error(
    call: Call, engine: dict[str, Any], run_file: str, light_plugin: Path, plugin_file: PluginFile
) -> None:
    broken = plugin_file("import no_such_module\n")
    code, _, err = call("run", run_file, "--plugin", str(light_plugin), "--plugin", broken)
    assert code == 2
    assert "the plugin odd.py" in err
    assert "No module named 'no_such_module'" in err


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOTDIR])
def test_storage_that_cannot_be_written(
    call: Call, engine: dict[str, Any], run_file: str, light_plugin: Path, code: int
) -> None:
    engine["raise"] = OSError(code, os.strerror(code), "/runs/light/model.safetensors")
    exit_code, _, err = call("run", run_file, "--plugin", str(light_plugin))
    assert exit_code == 1
    assert err.splitlines()[-2].startswith(f"/runs/light/model.safetensors: {os.strerror(code)}")
    assert err.splitlines()[-1].startswith("  remedy: ")
    assert "Traceback" not in err


def test_errors_interruptions_and_bugs(call: Call, engine: dict[str, Any], run_file: str, light_plugin: Path) -> None:
    arguments = ["run", run_file, "--plugin", str(light_plugin)]
    engine["raise"] = RunError("the loss is NaN", cause="rate too high", remedy="lower it")
    code, _, err = call(*arguments)
    assert code == 1
    assert err.endswith("the loss is NaN\n  cause: rate too high\n  remedy: lower it\n")
    engine["raise"] = KeyboardInterrupt()
    code, _, err = call(*arguments)
    assert code == 130
    assert "Traceback" not in err
    engine["raise"] = ZeroDivisionError("oops")
    code, _, err = call(*arguments)
    assert code == 1
    assert "ZeroDivisionError: oops" in err
    assert "This is a bug" in err


def test_check_prints_lines(call: Call, engine: dict[str, Any], run_file: str, light_plugin: Path) -> None:
    assert call("check", run_file, "--plugin", str(light_plugin))[:2] == (0, "all is well\n")


def test_evaluate(call: Call, engine: dict[str, Any]) -> None:
    code, out, _ = call("evaluate", "runs/light", "--set", "data.test.path=/t")
    assert code == 0
    assert "J                  25.00 %   higher is better" in out
    assert engine["overrides"] == ["data.test.path=/t"]
    code, out, _ = call("evaluate", "runs/light", "--json")
    found = json.loads(out)
    assert found["values"] == {"J": 0.25, "MAE": None}
    assert found["definitions"]["J"] == {"definition": "overlap", "better": "higher", "percent": True}


def test_plugins_lists_everything_beside_one_that_crashes(
    call: Call, light_plugin: Path, plugin_file: PluginFile
) -> None:
    arguments = ["plugins", "--plugin", str(light_plugin), "--plugin", plugin_file("raise SystemExit('out')\n")]
    code, out, _ = call(*arguments)
    assert code == 0
    lines = out.splitlines()
    assert any(line.startswith("jointtask ") and line.endswith("loaded") for line in lines)
    assert any(line.startswith("light_plugin ") and line.endswith("loaded") for line in lines)
    odd = next(index for index, line in enumerate(lines) if line.startswith("odd "))
    assert lines[odd].endswith("failed")
    assert lines[odd + 1] == "  not used: SystemExit: out (odd.py, line 4)"
    code, out, _ = call(*arguments, "--json")
    rows = {row["plugin"]: row for row in json.loads(out)}
    assert rows["odd"]["state"] == "failed"
    assert rows["light_plugin"]["provides"][:2] == ["task first-task", "task second-task"]
    assert set(rows["jointtask"]) == {"plugin", "distribution", "version", "module", "state", "provides", "reasons"}


def test_components(call: Call, light_plugin: Path) -> None:
    code, out, _ = call("components", "task", "--plugin", str(light_plugin))
    assert code == 0
    assert "task first-task  (light_plugin.py sha256:" in out
    assert "array of integers, non-empty  default [8, 16]" in out
    assert "sampler" not in out
    code, out, _ = call("components", "--plugin", str(light_plugin), "--json")
    found = {(item["kind"], item["name"]): item for item in json.loads(out)}
    assert found["sampler", "gibbs"]["settings"][0]["default"] == "2"
    assert found["dataset", "folder"]["settings"][0] == {
        "key": "path",
        "type": "string",
        "default": None,
        "bounds": "",
        "help": "where it is",
    }
    code, _, err = call("components", "smaplers")
    assert code == 2
    assert "there is no kind 'smaplers' of component; did you mean 'sampler'?" in err
    assert "name one of task, bridge, sampler" in err


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
