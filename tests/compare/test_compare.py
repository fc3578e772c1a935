"""Whole comparisons of a small pair: resumable, failing arms kept apart, identical arms named."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stop_observer
from toy import run_file

from jointtask import cli
from jointtask.api.errors import ConfigError
from jointtask.compare.arms import plan
from jointtask.compare.compare import compare
from jointtask.compare.diagnostics import sampler_rows
from jointtask.compare.record import Comparison
from jointtask.compare.tables import lines
from jointtask.registry.registry import Registry, load_registry
from jointtask.report import read_report
from jointtask.runfile.load import load
from jointtask.running.autosave import StoppedError
from jointtask.running.evaluate import evaluate_run
from jointtask.running.run import run
from jointtask.tools import text
from jointtask.tools.progress import SilentProgress

TOY = Path(__file__).parents[1].joinpath("toy.py")
SMALL = ("em.oracle_examples=0", "data.train.examples=20")
SAMPLERS = ("sampler.name=none", "sampler.name=gaussian")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry([str(TOY), "stop_observer"])


class Listening(SilentProgress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)


def start(tmp_path: Path, registry: Registry, *vary: str, **options: Any) -> tuple[Comparison, list[str]]:
    """Compare arms of the toy pair; returns the record and what was said meanwhile."""
    file = tmp_path / "run.toml"
    file.write_text(run_file(str(tmp_path / "runs")) + options.pop("text", ""))
    progress, fresh = Listening(), options.pop("fresh", False)
    options["overrides"] = [*SMALL, *options.get("overrides", ())]
    todo = plan(file, registry, vary=vary, **options)
    return compare(todo, registry, fresh=fresh, progress=progress), progress.said


def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "toy-compare"


def weights(tmp_path: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder(tmp_path).glob("*/model.safetensors")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> tuple[Path, Comparison]:
    path = tmp_path_factory.mktemp("finished")
    return path, start(path, registry, *SAMPLERS, seeds=2)[0]


def test_a_comparison_leaves_its_files_and_ordinary_runs(finished: tuple[Path, Comparison], registry: Registry) -> None:
    path, record = finished
    names = {file.name for file in folder(path).iterdir()}
    runs = {"none-seed-0", "none-seed-1", "gaussian-seed-0", "gaussian-seed-1"}
    assert names == runs | {"comparison.json", "comparison.md", "comparison.tex", "comparison.html"}
    assert json.loads((folder(path) / "comparison.json").read_text())["version"] == record.version == 1
    for name in runs:
        runfile = load(folder(path) / name / "config.toml", (), registry)
        again = run(runfile, registry, fresh=False, progress=SilentProgress())
        assert again.directory == str(folder(path) / name)
        scores, _ = evaluate_run(str(folder(path) / name), registry, overrides=(), progress=SilentProgress())
        assert scores.values == again.scores[0].values


def test_numbers_are_those_of_the_runs(finished: tuple[Path, Comparison]) -> None:
    path, record = finished
    none, gaussian = record.arms
    reports = {file.name: read_report(file) for file in folder(path).glob("*-seed-*")}
    scores = {name: report.scores[0] for name, report in reports.items()}
    for arm in (none, gaussian):
        values = [scores[f"{arm.name}-seed-{seed}"].values["accuracy"] for seed in (0, 1)]
        assert arm.statistics["accuracy"].mean == pytest.approx(np.mean(values), abs=1e-12)
        assert [run.values["accuracy"] for run in arm.runs] == values
        assert arm.cost is not None
        assert arm.cost.presented == 4 * 20
    apart = [
        [
            scores[f"gaussian-seed-{seed}"].per_example["toy-accuracy"][name] - score
            for name, score in scores[f"none-seed-{seed}"].per_example["toy-accuracy"].items()
        ]
        for seed in (0, 1)
    ]
    assert gaussian.statistics["accuracy"].difference == pytest.approx(np.mean(apart), abs=1e-12)
    assert gaussian.statistics["accuracy"].difference_interval is not None
    assert none.statistics["accuracy"].difference is None
    assert none.cost is not None
    assert none.cost.evaluations == 2 * 20  # one state an example in each of two E-steps
    line = reports["gaussian-seed-1"].rounds[-1]
    assert line.estimate is not None
    assert gaussian.runs[1].objective[-1] == line.estimate.total
    assert gaussian.runs[1].validation["accuracy"][-1] == line.validation["accuracy"]
    assert record.identical == []


def test_the_same_command_again_runs_nothing(finished: tuple[Path, Comparison], registry: Registry) -> None:
    path, record = finished
    before = {file: file.stat().st_mtime_ns for file in folder(path).glob("*/*")}
    page = (folder(path) / "comparison.html").read_bytes()
    again, said = start(path, registry, *SAMPLERS, seeds=2)
    assert again == record or str(again) == str(record)  # NaN is not itself
    assert sum("this run is finished" in line for line in said) == 4
    assert before == {file: file.stat().st_mtime_ns for file in folder(path).glob("*/*")}
    assert (folder(path) / "comparison.html").read_bytes() == page


def test_an_arm_more_and_a_seed_more_keep_what_is_there(registry: Registry, tmp_path: Path) -> None:
    start(tmp_path, registry, *SAMPLERS, overrides=["em.rounds=1"])
    before = weights(tmp_path)
    record, said = start(tmp_path, registry, *SAMPLERS, "sampler.name=gibbs", overrides=["em.rounds=1"], seeds=2)
    assert sum("this run is finished" in line for line in said) == 2
    assert [arm.name for arm in record.arms] == ["none", "gaussian", "gibbs"]
    assert before.items() < weights(tmp_path).items()


@pytest.mark.parametrize(("steps", "number"), [(1, signal.SIGTERM), (11, signal.SIGINT), (26, signal.SIGTERM)])
def test_a_stop_stops_all_and_the_same_command_goes_on(
    steps: int, number: int, finished: tuple[Path, Comparison], registry: Registry, tmp_path: Path
) -> None:
    stop_observer.SEEN[0] = 0
    stop = f"observer=[{{name = 'stop', steps = {steps}, number = {int(number)}}}]"
    with pytest.raises(StoppedError, match=r"of 4 runs; everything is saved in .*toy-compare") as caught:
        start(tmp_path, registry, *SAMPLERS, seeds=2, overrides=[stop])
    assert "run the same command again" in caught.value.remedy
    assert caught.value.exit_code == 1
    assert not (folder(tmp_path) / "comparison.json").exists()
    start(tmp_path, registry, *SAMPLERS, seeds=2)
    assert weights(tmp_path) == weights(finished[0])


def test_a_stop_at_the_end_of_a_run_is_as_clean(registry: Registry, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(StoppedError, match=r"stopped after [01] of 2 runs"):
        start(tmp_path, registry, *SAMPLERS, overrides=["observer=[{name = 'stop'}]"])
    assert signal.getsignal(signal.SIGTERM) is before


def test_predictors_are_scored_once_and_stand_beside_the_arms(registry: Registry, tmp_path: Path) -> None:
    record, _ = start(tmp_path, registry, *SAMPLERS, overrides=["em.rounds=1"], seeds=2)
    (row,) = record.predictors
    statistic = row.statistics["accuracy"]
    assert (row.name, row.runs, statistic.interval) == ("toy-nothing", (), None)
    assert statistic.difference is not None
    assert statistic.difference_interval is not None
    assert any("toy-nothing" in line for line in lines(record))
    page = (folder(tmp_path) / "comparison.html").read_text()
    assert page.count("toy-nothing") == 1
    for path in folder(tmp_path).glob("*/report.json"):
        assert [scores.predictor for scores in read_report(path.parent).scores] == ["this run"]
    again, _ = start(tmp_path, registry, *SAMPLERS, overrides=["em.rounds=1"], seeds=2)
    assert again == record


def test_what_the_samplers_did_is_a_row_for_each_arm(registry: Registry, tmp_path: Path) -> None:
    shared = ["em.rounds=1", "em.oracle_examples=3"]
    values = ("sampler.name=metropolis-hastings", "sampler.name=exhaustive")
    record, _ = start(tmp_path, registry, *values, overrides=shared)
    header, chain, every = sampler_rows(record)
    assert {"acceptance", "regret", "posterior mass", "effective draws", "evaluations an example"} <= set(header)
    assert chain[header.index("acceptance")] != text.MISSING
    assert every[header.index("acceptance")] == text.MISSING
    assert every[header.index("regret")] == "0"
    assert record.arms[1].diagnostics["mass"] == pytest.approx(1)
    for name in ("comparison.md", "comparison.tex", "comparison.html"):
        assert "posterior mass" in (folder(tmp_path) / name).read_text()


def test_a_failing_arm_is_a_row_and_loses_nothing(registry: Registry, tmp_path: Path) -> None:
    rates = ("upstream.optimizer.rate=0.003", "upstream.optimizer.rate=1e30")
    shared = ["em.rounds=1", "upstream.optimizer.name=sgd"]
    record, said = start(tmp_path, registry, *rates[::-1], reference="rate=0.003", overrides=shared, seeds=2)
    broken, sound = record.arms
    assert broken.statistics == {}
    assert broken.cost is None
    assert all("is not finite" in run.failure for run in broken.runs)
    assert sound.statistics["accuracy"].interval is not None
    assert [name for name, _ in record.failures] == ["rate=1e+30"] * 2
    shown = lines(record)
    row = next(line for line in shown if "rate=1e+30" in line)
    assert re.search(r"failed: the upstream loss in training is not .*\[\.\.\.\]$", row)
    assert any("lower optimizer.rate" in line for line in shown)
    assert sum("failed: " in line for line in said) == 2
    page = (folder(tmp_path) / "comparison.html").read_text()
    assert "2 failed" in page
    assert "rate%3D0.003-seed-1/report.html" in page
    # Mended, the same command makes up for what is missing.
    again, _ = start(tmp_path, registry, rates[0], "upstream.optimizer.rate=0.002", overrides=shared, seeds=2)
    assert again.failures == []


def test_a_reference_that_fails_leaves_no_difference(registry: Registry, tmp_path: Path) -> None:
    rates = ("upstream.optimizer.rate=1e30", "upstream.optimizer.rate=0.003")
    record, _ = start(tmp_path, registry, *rates, overrides=["em.rounds=1", "upstream.optimizer.name=sgd"])
    assert record.reference == "rate=1e+30"
    assert record.arms[1].statistics["accuracy"].difference is None
    assert lines(record)


def test_the_command_fails_if_an_arm_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.toml"
    file.write_text(run_file(str(tmp_path / "runs")))
    arguments = ["compare", str(file), "--plugin", str(TOY), "--set", "em.rounds=1"]
    vary = [
        "--vary",
        "upstream.optimizer={ name = 'sgd', rate = 1e30 }",
        "--vary",
        "upstream.optimizer={ rate = 1e-3 }",
    ]
    with pytest.raises(SystemExit) as caught:
        cli.main([*arguments, *vary])
    assert caught.value.code == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "test, 16 examples, 1 seed"
    assert out[-1] == f"comparison: {folder(tmp_path) / 'comparison.html'}"
    with pytest.raises(SystemExit) as caught:
        cli.main([*arguments, "--vary", "sampler.name=none", "--seeds", "0"])
    assert caught.value.code == 2


def test_arms_that_came_out_the_same_are_named(registry: Registry, tmp_path: Path) -> None:
    text = """
[compare.arms.plain]
[compare.arms.unread]
"proposal.0.widening" = 2.5
[compare.arms.fewer]
data.test.examples = 12
[compare.arms.other]
"em.batch_size" = 7
"""
    record, _ = start(tmp_path, registry, text=text, overrides=["em.rounds=1", "sampler.name=gibbs"], seeds=2)
    assert [(pair.arms, list(pair.seeds), pair.scores) for pair in record.identical] == [
        (("plain", "unread"), [0, 1], True),
        (("plain", "fewer"), [0, 1], False),
        (("unread", "fewer"), [0, 1], False),
    ]
    unread = record.arms[1]
    assert unread.unread == ["proposal.0 ('gaussian'): the sampler 'gibbs' does not use it"]
    assert unread.statistics["accuracy"].difference == 0
    assert unread.statistics["accuracy"].within_noise
    shown = lines(record)
    assert (
        "bit-identical: plain and unread have the same weights and scores, for seeds 0, 1: "
        "what they vary changed nothing." in shown
    )
    assert "not read by unread: proposal.0 ('gaussian'): the sampler 'gibbs' does not use it" in shown


def test_every_arm_is_built_before_any_is_trained(registry: Registry, tmp_path: Path) -> None:
    text = '[compare.arms.good]\n[compare.arms.bad]\n"run.device" = "mps"\n[compare.arms.worse]\n"run.device" = "mps"\n'
    with pytest.raises(ConfigError, match="arm 'bad', arm 'worse': ") as caught:
        start(tmp_path, registry, text=text)
    assert caught.value.exit_code == 2
    assert list(folder(tmp_path).iterdir()) == []


def test_another_comparison_in_the_folder_is_refused_before_any_training(registry: Registry, tmp_path: Path) -> None:
    start(tmp_path, registry, *SAMPLERS, overrides=["em.rounds=1"])
    before = weights(tmp_path)
    with pytest.raises(ConfigError, match=r"arm 'none': .*none-seed-0 holds another run") as caught:
        start(tmp_path, registry, *SAMPLERS, "sampler.name=gibbs", overrides=["em.rounds=1", "em.batch_size=9"])
    assert "arm 'gaussian': " in str(caught.value)
    assert "em.batch_size: was 10, is 9" in str(caught.value)
    assert weights(tmp_path) == before
    start(tmp_path, registry, *SAMPLERS, overrides=["em.rounds=1", "em.batch_size=9"], fresh=True)
    assert weights(tmp_path) != before


def test_threads_of_one_arm_are_not_the_next_ones(registry: Registry, tmp_path: Path) -> None:
    import torch

    torch.set_num_threads(2)
    values = ("run.threads=1", "run.threads=0")
    record, said = start(tmp_path, registry, *values, overrides=["em.rounds=1", "em.warmup_epochs=0"])
    assert [line for line in said if line.startswith("device")] == [
        "device: cpu (1 threads)",
        "device: cpu (2 threads)",
    ]
    assert any("The runs differ in device" in note for note in record.notes)
    assert torch.get_num_threads() == 2


def test_arms_with_the_same_settings_are_warned_of(registry: Registry, tmp_path: Path) -> None:
    text = '[compare.arms.one]\n[compare.arms.two]\n"sampler.moves" = 20\n'
    _, said = start(tmp_path, registry, text=text, overrides=["em.rounds=1", "em.warmup_epochs=0"])
    assert said[0] == "warning: the arms 'one' and 'two' have the same settings"


def test_seeds_may_be_what_is_varied(registry: Registry, tmp_path: Path) -> None:
    record, _ = start(tmp_path, registry, "run.seed=3", "run.seed=4", overrides=["em.rounds=1", "em.warmup_epochs=0"])
    assert [arm.runs[0].directory for arm in record.arms] == ["seed=3-seed-3", "seed=4-seed-4"]
    assert record.arms[1].statistics["accuracy"].difference is not None


def test_other_data_and_no_scores_are_said(registry: Registry, tmp_path: Path) -> None:
    few = ["em.rounds=1", "em.warmup_epochs=0"]
    record, _ = start(tmp_path, registry, "data.test.seed=2", "data.test.seed=5", overrides=few)
    assert record.arms[1].statistics["accuracy"].difference is not None
    assert record.arms[1].statistics["accuracy"].difference_interval is None
    assert any("not scored on the same data" in note for note in record.notes)
    bare = [*few, "evaluate.metrics=[]", "run.name=bare"]
    record, _ = start(tmp_path, registry, *SAMPLERS, overrides=bare)
    assert record.data == ""
    assert lines(record)[0] == "nothing was scored, 1 seed"


@pytest.mark.slow
def test_a_comparison_that_is_killed_goes_on(finished: tuple[Path, Comparison], tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(run_file(str(tmp_path / "runs")))
    vary = [word for value in SAMPLERS for word in ("--vary", value)]
    command = [sys.executable, "-m", "jointtask", "compare", str(file), "--plugin", str(TOY), "--seeds", "2", *vary]
    command += [word for value in SMALL for word in ("--set", value)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "run 3 of 4" in line:
            break
    process.kill()
    process.wait()
    process.stderr.close()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path) == weights(finished[0])
