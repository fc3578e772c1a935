"""The trivial predictor of a bridge's plugin stands beside every run, unless it is turned off or cannot be built."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy import run_file

from jointtask.api.errors import ConfigError
from jointtask.compare.arms import plan
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import load
from jointtask.running import beside
from jointtask.running.assemble import assemble
from jointtask.running.beside import build_beside, names_beside
from jointtask.running.check import check
from jointtask.running.run import run
from jointtask.tools.progress import SilentProgress

EXAMPLES = Path(__file__).parents[2] / "examples"
TRIAL = Path(__file__).parents[2] / "jointtask" / "testing" / "trial.toml"
TOY = Path(__file__).parents[1] / "toy.py"
PLUGIN = """
from jointtask import hookimpl
from jointtask.api import ConfigError, NoSettings, TrivialComponent
{head}

def build(settings, context):
    {build}


@hookimpl
def jointtask_predictors():
    return [TrivialComponent("idle", NoSettings, build, "the same for all", bridges={bridges})]
"""
FLAT = "return lambda example: example.label * 0"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(["jointtask.testing.trial"])


def with_plugin(tmp_path: Path, build: str, bridges: str = '("toy-interval",)', head: str = "") -> Registry:
    plugin = tmp_path / "idle.py"
    plugin.write_text(PLUGIN.format(build=build, bridges=bridges, head=head))
    return load_registry([str(TOY), str(plugin)])


def toy(tmp_path: Path, **tables: str) -> Path:
    file = tmp_path / "run.toml"
    file.write_text(run_file(str(tmp_path / "runs"), **tables))
    return file


@pytest.mark.parametrize(
    ("file", "overrides", "expected"),
    [
        (EXAMPLES / "digit_reading.toml", [], ["mean-digits", "commonest-digit"]),
        (EXAMPLES / "event_detection.toml", ["evaluate.predictors=[]"], ["mean-interval"]),
        (EXAMPLES / "object_extraction.toml", [], ["otsu", "colour-contrast", "mean-mask"]),
        (EXAMPLES / "object_extraction.toml", ["evaluate.predictors=['otsu']"], ["otsu", "mean-mask"]),
        (
            EXAMPLES / "object_extraction.toml",
            ["upstream={name='whole-frame'}", "bridge={name='whole-frame'}", "evaluate.predictors=[]"],
            ["mean-mask"],
        ),
        (TRIAL, ["run.name=x"], ["trial-mean"]),
    ],
)
def test_it_stands_beside_the_predictors_that_are_named(
    file: Path, overrides: list[str], expected: list[str], registry: Registry
) -> None:
    if file.parent == EXAMPLES:
        pytest.importorskip(f"jointtask_{file.stem}", reason="the plugin of this pair is not installed")
    runfile = load(file, overrides, registry)
    assert names_beside(runfile, registry) == expected
    off = load(file, [*overrides, "evaluate.trivial=false"], registry)
    assert names_beside(off, registry) == list(off.evaluate.predictors)


@pytest.mark.parametrize("missing", ["evaluate.metrics=[]", "data.test=", "nothing"])
def test_it_is_not_built_where_nothing_is_scored(missing: str, registry: Registry, tmp_path: Path) -> None:
    text = TRIAL.read_text()
    tables = text.split("\n\n") if missing != "nothing" else [text]
    if missing == "data.test=":
        tables = [table for table in tables if not table.startswith(("[data.test]", "[data.validation]"))]
    file = tmp_path / "run.toml"
    file.write_text("\n\n".join(tables))
    overrides = [missing] if missing.startswith("evaluate") else []
    runfile = load(file, ["evaluate.predictors=[]", *overrides], registry)
    assert names_beside(runfile, registry) == (["trial-mean"] if missing == "nothing" else [])


def test_the_table_of_a_run_has_it_and_training_is_the_same_without(tmp_path: Path) -> None:
    registry = with_plugin(tmp_path, FLAT)
    file = toy(tmp_path)
    records, histories = [], []
    for name, setting in (("on", "true"), ("off", "false")):
        runfile = load(file, [f"run.name={name}", f"evaluate.trivial={setting}"], registry)
        records.append(run(runfile, registry, fresh=False, progress=SilentProgress()))
        histories.append((tmp_path / "runs" / name / "history.jsonl").read_bytes())
    on, off = ([score.predictor for score in record.scores] for record in records)
    assert on == ["this run", "toy-nothing", "idle"]
    assert off == ["this run", "toy-nothing"]
    assert histories[0] == histories[1]
    assert "idle" in (tmp_path / "runs" / "on" / "report.html").read_text()


def test_turning_it_off_scores_a_finished_run_again(tmp_path: Path) -> None:
    registry = with_plugin(tmp_path, FLAT)
    file = toy(tmp_path)
    run(load(file, (), registry), registry, fresh=False, progress=SilentProgress())
    record = run(load(file, ["evaluate.trivial=false"], registry), registry, fresh=False, progress=SilentProgress())
    assert [score.predictor for score in record.scores] == ["this run", "toy-nothing"]


@pytest.mark.parametrize(
    ("build", "head"),
    [
        ("raise ConfigError('no masks to learn from')", ""),
        ("raise ValueError('broken')", ""),
        ("raise SystemExit(0)", ""),
        ("return 3", ""),
        ("import nowhere_to_be_found", ""),
    ],
)
def test_one_that_cannot_be_built_is_left_out_unless_it_is_named(build: str, head: str, tmp_path: Path) -> None:
    registry = with_plugin(tmp_path, build, head=head)
    said: list[str] = []

    class Told(SilentProgress):
        def say(self, text: str) -> None:
            said.append(text)

    record = run(load(toy(tmp_path), ["em.rounds=1"], registry), registry, fresh=False, progress=Told())
    assert [score.predictor for score in record.scores] == ["this run", "toy-nothing"]
    assert any(line.startswith("no scores of 'idle' beside this run (evaluate.trivial): ") for line in said)
    with pytest.raises(ConfigError if "ConfigError" in build else Exception):
        check(load(toy(tmp_path), ["evaluate.predictors=['idle']"], registry), registry, SilentProgress())


@pytest.mark.parametrize("bridges", ['"toy-interval"', "['toy-interval']", "None", "(1,)", "{'toy-interval'}"])
def test_bridges_that_are_no_tuple_of_names_are_refused(bridges: str, tmp_path: Path) -> None:
    registry = with_plugin(tmp_path, FLAT, bridges)
    assert "idle" not in registry.entries["predictor"]
    assert any("bridges must be a tuple of names of bridges" in failure.reason for failure in registry.failures)


def test_another_bridge_has_none_of_it(tmp_path: Path) -> None:
    registry = with_plugin(tmp_path, FLAT, '("other-bridge",)')
    assert names_beside(load(toy(tmp_path), (), registry), registry) == ["toy-nothing"]


def test_a_comparison_scores_it_once(tmp_path: Path) -> None:
    registry = with_plugin(tmp_path, FLAT)
    arms = plan(toy(tmp_path), registry, vary=["sampler.name=none", "sampler.name=gibbs"]).arms
    assert names_beside(arms[0].runfile, registry) == ["toy-nothing", "idle"]
    assert names_beside(arms[0].at(tmp_path, 0), registry) == []


def test_it_learns_from_the_training_data(tmp_path: Path, registry: Registry) -> None:
    from jointtask.running.assemble import assemble

    work = assemble(load(TRIAL, ["run.name=x"], registry), registry, SilentProgress())
    predictors = build_beside(work.runfile, registry, work.context)
    assert predictors.keys() == work.predictors.keys()
    first, second = work.test.example(0), work.test.example(1)  # type: ignore[union-attr]
    label = work.train.batch(range(len(work.train)))["label"].mean(dim=0)
    assert (predictors["trial-mean"](first) == label).all()
    assert (predictors["trial-mean"](second) == label).all()


@pytest.mark.parametrize(("most", "learnt"), [(48, 48), (1000, 48), (47, 47), (10, 10), (1, 1)])
def test_a_trivial_predictor_learns_from_so_many_examples_of_the_whole_data(
    most: int, learnt: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "LEARNT_FROM", most)
    registry = with_plugin(tmp_path, "return lambda example: context.train")
    assembly = assemble(load(toy(tmp_path), ["evaluate.trivial=false"], registry), registry, SilentProgress())
    train = build_beside(load(toy(tmp_path), [], registry), registry, assembly.context)["idle"](None)
    rows = [row * 48 // learnt for row in range(learnt)]
    assert len(train) == learnt
    assert list(train.ids) == [assembly.train.ids[row] for row in rows]
    assert torch.equal(train.batch([learnt - 1])["values"], assembly.train.batch([rows[-1]])["values"])
    assert train.example(learnt - 1).id == train.ids[-1]
