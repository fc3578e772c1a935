"""Scoring runs and predictors, and trying run files out."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy import run_file

from jointtask.api.component import Component, NoSettings
from jointtask.api.errors import ConfigError
from jointtask.registry.discover import load_plugins
from jointtask.registry.registry import Entry, Registry, load_registry
from jointtask.registry.sources import Source
from jointtask.runfile.load import load
from jointtask.running.check import check, unread_settings
from jointtask.running.evaluate import default_metrics, evaluate_run
from jointtask.running.run import run
from jointtask.tools.progress import SilentProgress

TOY = Path(__file__).parents[1].joinpath("toy.py")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry([str(TOY)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> tuple[str, float]:
    path = tmp_path_factory.mktemp("trained")
    (path / "run.toml").write_text(run_file(str(path)))
    record = run(load(path / "run.toml", [], registry), registry, fresh=False, progress=SilentProgress())
    return record.directory, record.scores[0].values["accuracy"]


def test_a_run_scores_again_what_it_scored_at_its_end(trained: tuple[str, float], registry: Registry) -> None:
    record, metrics = evaluate_run(trained[0], registry, overrides=[], progress=SilentProgress())
    assert record.values["accuracy"] == trained[1]
    assert list(metrics) == ["toy-accuracy"]


def test_a_run_scores_other_data(trained: tuple[str, float], registry: Registry) -> None:
    more = ["data.test.examples=40", "data.test.seed=9"]
    record, _ = evaluate_run(trained[0], registry, overrides=more, progress=SilentProgress())
    assert record.examples == 40
    assert len(record.per_example["toy-accuracy"]) == 40


def test_a_predictor_scores_by_name(registry: Registry) -> None:
    overrides = ["data.test.name=toy-bumps", "data.test.examples=16", "data.test.seed=2"]
    overrides.append('evaluate.metrics=["toy-accuracy"]')
    record, _ = evaluate_run("toy-nothing", registry, overrides=overrides, progress=SilentProgress())
    assert record.predictor == "toy-nothing"
    assert 0.4 < record.values["accuracy"] < 0.9


def test_what_is_neither_is_said_so(registry: Registry) -> None:
    with pytest.raises(ConfigError, match="toy-nothin is neither a run directory nor a predictor") as caught:
        evaluate_run("toy-nothin", registry, overrides=[], progress=SilentProgress())
    assert "did you mean 'toy-nothing'" in str(caught.value)


def test_check_goes_through_everything_and_leaves_no_run(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "run.toml").write_text(run_file(str(tmp_path / "runs"), sampler='name = "none"'))
    runfile = load(tmp_path / "run.toml", [], registry)
    lines = list(check(runfile, registry, SilentProgress()))
    text = "\n".join(lines)
    for part in ("device: cpu", "train: 48 examples", "upstream: 2,146 parameters", "E-step:", "M-step:", "in all"):
        assert part in text
    assert "not read: proposal.0 ('gaussian'): the sampler 'none' does not use it" in lines
    assert not (tmp_path / "runs").exists()


def test_what_is_read_is_not_named(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "run.toml").write_text(run_file(str(tmp_path / "runs")))
    assert unread_settings(load(tmp_path / "run.toml", [], registry), registry) == []


def test_a_predictor_is_scored_by_the_metrics_of_its_own_plugin_or_else_of_the_datas() -> None:
    component = Component("here", NoSettings, lambda settings, context: None, "nothing")
    ours, theirs, others = (Entry(component, Source(name, name, "1")) for name in ("ours", "theirs", "others"))
    entries = {"predictor": {"p": ours}, "dataset": {"d": theirs, "e": others}}
    registry = Registry(load_plugins(), {**entries, "metric": {"a": theirs, "b": ours, "c": theirs}})
    assert default_metrics("p", "d", registry) == ["b"]
    alone = Registry(load_plugins(), {**entries, "metric": {"a": theirs, "c": theirs}})
    assert default_metrics("p", "e", alone) == ["a", "c"]
    assert default_metrics("p", "d", Registry(load_plugins(), {**entries, "metric": {"a": theirs, "x": others}})) == [
        "a"
    ]
