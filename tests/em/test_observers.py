"""Observers: what they see, that they change nothing, and that a faulty one does not end a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy import run_file

from jointtask.api.errors import PluginError
from jointtask.api.record import RunRecord
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.run import run
from jointtask.tools.progress import SilentProgress

PLUGIN = """
from jointtask.api import Observer

SEEN = []

class Seeing(Observer):
    def __init__(self, label):
        self.label = label

    def run_started(self, record, step):
        SEEN.append((self.label, "started", step))

    def step_finished(self, record):
        SEEN.append((self.label, "step", record))

    def round_finished(self, record):
        SEEN.append((self.label, "round", record))

    def panels_drawn(self, panels):
        SEEN.append((self.label, "panels", list(panels)))

    def run_finished(self, record):
        SEEN.append((self.label, "finished", record))

    def run_failed(self, record, error):
        SEEN.append((self.label, "failed", error))

class Faulty(Seeing):
    def step_finished(self, record):
        super().step_finished(record)
        if record.step == 3:
            raise SystemExit("on purpose")

@attrs.frozen
class Settings:
    label: str = attrs.field(default="a", metadata={"help": "name in what is seen"})

@hookimpl
def jointtask_observers():
    return [
        Component("seeing", Settings, lambda settings, context: Seeing(settings.label), "sees everything"),
        Component("faulty", Settings, lambda settings, context: Faulty(settings.label), "fails"),
        Component("wrong", NoSettings, lambda settings, context: object(), "is none"),
    ]
"""


class Lines(SilentProgress):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def observed(tmp_path: Path, plugin_file: Callable[..., str]) -> Callable[..., tuple[RunRecord, list[Any], list[str]]]:
    registry = load_registry(["toy", plugin_file(PLUGIN)])

    def start(*overrides: str) -> tuple[RunRecord, list[Any], list[str]]:
        (tmp_path / "run.toml").write_text(run_file(str(tmp_path)))
        progress = Lines()
        record = run(load(tmp_path / "run.toml", overrides, registry), registry, fresh=False, progress=progress)
        module = dict(registry.plugins.manager.list_name_plugin())["odd"]
        seen, module.SEEN[:] = list(module.SEEN), []
        return record, seen, progress.lines

    return start


def test_observers_see_steps_rounds_and_the_end(observed: Callable[..., Any], tmp_path: Path) -> None:
    record, seen, _ = observed("observer.0.name=seeing", "observer.1.name=seeing", "observer.1.label=b")
    for label in "ab":
        mine = [(what, value) for who, what, value in seen if who == label]
        assert mine[0] == ("started", 0)
        steps = [value for what, value in mine if what == "step"]
        assert [step.step for step in steps] == list(range(1, 21))  # 48 examples in batches of 10, 4 epochs
        assert {(step.round, step.epoch) for step in steps} == {(0, 0), (0, 1), (1, 2), (2, 3)}
        rounds = [value for what, value in mine if what == "round"]
        assert rounds == list(record.rounds)
        assert rounds[1].sampler.acceptance is not None
        assert mine[-2][0] == "panels"
        assert mine[-1] == ("finished", record)
    # An epoch's mean loss is that of its steps, weighted by their examples.
    for role, loss in record.rounds[-1].training.items():
        last = [step.losses[role] for step in steps[-5:]]
        assert loss == pytest.approx((sum(last[:4]) * 10 + last[4] * 8) / 48, rel=1e-6)
        assert all(step.gradient_norms[role] > 0 for step in steps)
    assert all(step.rates == {"upstream": 0.003, "downstream": 0.01} for step in steps)


def test_observers_change_nothing_and_may_come_and_go(observed: Callable[..., Any], tmp_path: Path) -> None:
    observed("observer.0.name=seeing", "run.name=seen")
    observed("run.name=unseen")
    for name in ("model.safetensors", "history.jsonl", "latents.safetensors"):
        assert (tmp_path / "seen" / name).read_bytes() == (tmp_path / "unseen" / name).read_bytes()
    record, seen, _ = observed("observer.0.name=seeing", "run.name=unseen", "em.rounds=3")
    assert record.finished
    assert seen[0][1:] == ("started", 20)
    assert [value.step for _, what, value in seen if what == "step"] == list(range(21, 26))


def test_an_observer_that_raises_is_reported_once_and_called_no_more(observed: Callable[..., Any]) -> None:
    record, seen, lines = observed("observer.0.name=faulty", "observer.1.name=seeing", "observer.1.label=b")
    assert record.finished
    assert [what for who, what, _ in seen if who == "a"] == ["started", "step", "step", "step"]
    assert sum(what == "step" for who, what, _ in seen if who == "b") == 20
    (warning,) = [line for line in lines if "on purpose" in line]
    assert warning.startswith("warning: the observer 'faulty' of odd.py sha256:")
    assert "raised SystemExit: on purpose (odd.py, line " in warning
    assert warning.endswith("; the run goes on without it")


def test_observers_see_a_run_fail(observed: Callable[..., Any]) -> None:
    with pytest.raises(Exception, match="not finite"):
        observed("observer.0.name=seeing", "upstream.optimizer.name=sgd", "upstream.optimizer.rate=1e30")
    _, seen, _ = observed("observer.0.name=seeing", "run.name=other")
    assert [what for _, what, _ in seen if what == "failed"] == ["failed"]


def test_what_is_no_observer_is_refused(observed: Callable[..., Any]) -> None:
    with pytest.raises(PluginError, match=r"the observer 'wrong' of odd\.py .* expected a subclass of Observer"):
        observed("observer.0.name=wrong")
