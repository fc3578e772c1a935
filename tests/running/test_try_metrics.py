"""Metrics are tried before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy import run_file

from jointtask.api.errors import UserError
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.check import check
from jointtask.running.run import run
from jointtask.tools.progress import SilentProgress

TOY = Path(__file__).parents[1] / "toy.py"
PLUGIN = """
import numpy as np
from jointtask import hookimpl
from jointtask.api import Component, Metric, NoSettings, Summary


def score(prediction, example):
    return {score}


@hookimpl
def jointtask_metrics():
    summary = Summary("a number", "higher", lambda scores: {reduce})
    metric = Metric(score, {{"odd score": summary}})
    return [Component("odd", NoSettings, lambda settings, context: metric, "an odd metric")]
"""


@pytest.mark.parametrize(
    ("score", "reduce"),
    [
        ("1 / 0", "float(scores.mean())"),
        ("example.missing", "float(scores.mean())"),
        ("'text'", "float(scores.mean())"),
        ("None", "float(scores.mean())"),
        ("1.0", "scores"),
        ("1.0", "float(scores[:, 3].mean())"),
        ("1.0", "'text'"),
    ],
)
@pytest.mark.parametrize("table", ['metrics = ["odd"]', 'each_round = ["odd"]'])
def test_a_metric_that_fails_is_named_before_training(score: str, reduce: str, table: str, tmp_path: Path) -> None:
    plugin = tmp_path / "odd.py"
    plugin.write_text(PLUGIN.format(score=score, reduce=reduce))
    registry = load_registry([str(TOY), str(plugin)])
    (tmp_path / "run.toml").write_text(run_file(str(tmp_path / "runs"), evaluate=table))
    runfile = load(tmp_path / "run.toml", (), registry)
    for work in (
        lambda: run(runfile, registry, fresh=False, progress=SilentProgress()),
        lambda: check(runfile, registry, SilentProgress()),
    ):
        with pytest.raises(UserError) as caught:
            work()
        assert "odd.py sha256:" in str(caught.value)
        assert caught.value.remedy
    assert not (tmp_path / "runs" / "toy" / "config.toml").exists()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["downstream.weight=0"], "warning: downstream.weight is 0"),
        (["upstream.weight=0"], "warning: upstream.weight is 0"),
        (["upstream.weight=0", "downstream.weight=0"], "warning: downstream.weight is 0"),
    ],
)
def test_check_names_a_task_that_counts_for_nothing(overrides: list[str], words: str, tmp_path: Path) -> None:
    registry = load_registry([str(TOY)])
    (tmp_path / "run.toml").write_text(run_file(str(tmp_path / "runs")))
    lines = check(load(tmp_path / "run.toml", overrides, registry), registry, SilentProgress())
    assert any(line.startswith(words) for line in lines)


def test_check_names_a_network_that_does_not_look_at_its_input(tmp_path: Path) -> None:
    registry = load_registry([str(TOY)])
    (tmp_path / "run.toml").write_text(run_file(str(tmp_path / "runs")))
    runfile = load(tmp_path / "run.toml", (), registry)
    plugin = registry.plugins.manager.get_plugin("toy")
    with pytest.MonkeyPatch.context() as patch:
        forward = plugin.LabelPoints.forward  # type: ignore[union-attr]
        patch.setattr(plugin.LabelPoints, "forward", lambda self, inputs: 0 * forward(self, inputs))  # type: ignore[union-attr]
        lines = check(runfile, registry, SilentProgress())
    assert any("The downstream network gives the same for two different examples" in line for line in lines)
    assert not any("gives the same" in line for line in check(runfile, registry, SilentProgress()))
