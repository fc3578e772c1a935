"""Which weights of a run are scored and saved, when training stops, and that a resumed run agrees to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from optimizing import REGISTRY, optimizer
from safetensors.torch import load_file
from toy import BumpData, Bumps, Interval, IntervalSettings, LabelPoints, Locate, run_file

from jointtask.api.errors import ConfigError
from jointtask.api.record import RunRecord
from jointtask.em.batches import ExampleBatch
from jointtask.em.kept import kept_weights, update_average
from jointtask.em.latents import Latents
from jointtask.em.mstep import MStep, train_batch
from jointtask.em.pair import Pair
from jointtask.em.state import State
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.autosave import StoppedError
from jointtask.running.run import run
from jointtask.running.trained import load_predictor
from jointtask.tools.progress import SilentProgress

DATA = Bumps(BumpData())

STOPPING = """
import os, signal
from jointtask.api import Observer

class Stopping(Observer):
    def step_finished(self, record):
        os.kill(os.getpid(), signal.SIGTERM)

@hookimpl
def jointtask_observers():
    return [Component("stopping", attrs.make_class("No", [], frozen=True), lambda s, c: Stopping(), "stops each step")]
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., RunRecord]:
    def start(*overrides: str, name: str = "toy") -> RunRecord:
        (tmp_path / "run.toml").write_text(run_file(str(tmp_path)))
        runfile = load(tmp_path / "run.toml", [f"run.name={name}", *overrides], REGISTRY)
        return run(runfile, REGISTRY, fresh=False, progress=SilentProgress())

    return start


def model(tmp_path: Path, name: str = "toy") -> dict[str, torch.Tensor]:
    return load_file(tmp_path / name / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def last_checkpoint(tmp_path: Path, prefix: str, name: str = "toy") -> dict[str, torch.Tensor]:
    tensors = load_file(sorted((tmp_path / name / "checkpoints").glob("*.safetensors"))[-1])
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def test_the_average_is_that_of_its_formula() -> None:
    torch.manual_seed(0)
    pair = Pair(Locate(0.0), LabelPoints(), Interval(IntervalSettings()), torch.device("cpu"))
    optimizers = {role: optimizer(module, rate=0.1) for role, module in pair.modules.items()}
    state = State(pair=pair, optimizers=optimizers, latents=Latents.empty(6, 1, 2))
    batch = ExampleBatch(torch.arange(6), DATA.ids[:6], DATA.batch(range(6)))
    expected = None
    for step in range(1, 30):
        train_batch(pair, MStep(optimizers), 0, batch, pair.bridge.base(batch.tensors)[:, None])
        update_average(state, 0.6)
        weight = pair.upstream.hidden.weight.detach().double()
        decay = min(0.6, (1 + step) / (10 + step))
        expected = weight if expected is None else decay * expected + (1 - decay) * weight
        torch.testing.assert_close(state.average["upstream.hidden.weight"].double(), expected, rtol=1e-5, atol=1e-6)
    assert kept_weights(state) is state.average


def test_averaged_weights_are_scored_and_saved_and_training_goes_on_from_the_others(
    tmp_path: Path, start: Callable[..., RunRecord]
) -> None:
    plain, averaged = start(name="plain"), start("em.average=0.9", name="averaged")
    assert same(last_checkpoint(tmp_path, "model.", "averaged"), model(tmp_path, "plain")), "training is the same"
    assert same(last_checkpoint(tmp_path, "average.", "averaged"), model(tmp_path, "averaged"))
    assert not same(model(tmp_path, "averaged"), model(tmp_path, "plain"))
    assert averaged.rounds[-1].training == plain.rounds[-1].training
    assert averaged.scores[0].values != plain.scores[0].values


@pytest.mark.parametrize("better", ["best", "last"])
def test_the_best_round_is_the_one_with_the_best_validation_score(
    tmp_path: Path, start: Callable[..., RunRecord], better: str
) -> None:
    keys = ("run.seed=2", "upstream.optimizer.rate=1")
    record = start("em.rounds=4", f"em.keep={better}", *keys)
    scores = [line.validation["accuracy"] for line in record.rounds]
    best = scores.index(max(scores))
    assert 0 < best < 4, "this rate is too high to be best at the end"
    # The same run, ended after its best round, saves its last weights.
    if better == "best":
        start(f"em.rounds={best}", *keys, name="shorter")
        assert same(model(tmp_path), model(tmp_path, "shorter"))
    same_as_last = same(model(tmp_path), last_checkpoint(tmp_path, "model."))
    assert same_as_last == (better == "last")


def test_training_stops_after_rounds_without_a_better_score(tmp_path: Path, start: Callable[..., RunRecord]) -> None:
    keys = ("em.patience=2", "em.rounds=9", "upstream.optimizer.rate=1e-12", "downstream.optimizer.rate=1e-12")
    record = start(*keys)
    assert [line.round for line in record.rounds] == [0, 1, 2]
    assert record.finished
    lines = (tmp_path / "toy" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["round"] for line in lines] == [0, 1, 2]
    assert [line.round for line in start(*keys).rounds] == [0, 1, 2], "a finished run goes on"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["em.monitor=acuracy", "em.patience=1"], "no score of a round is called 'acuracy'"),
        (["em.monitor=toy-accuracy", "em.keep=best"], "no score of a round is called 'toy-accuracy'"),
        (["em.keep=best", "evaluate.metrics=[]"], r"em\.keep .*needs \[data\.validation\] and a metric"),
        (["em.patience=1", "evaluate.metrics=[]"], r"em\.patience .*needs \[data\.validation\] and a metric"),
        (["em.patience=-1"], "must be at least 0"),
        (["em.average=1.0"], "must be below 1"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    start: Callable[..., RunRecord], overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        start(*overrides)


@pytest.mark.parametrize(
    "keys",
    [
        ["em.average=0.9"],
        ["em.keep=best", "run.seed=2", "upstream.optimizer.rate=1"],
        ["em.patience=1", "run.seed=2", "upstream.optimizer.rate=1", "em.rounds=4"],
        ["em.microbatch=3"],
        ["em.average=0.8", "em.keep=best", "em.patience=2", "em.microbatch=4", "upstream.optimizer.name=nadam"],
    ],
)
def test_a_run_that_was_stopped_after_each_step_ends_with_the_same_bits(
    tmp_path: Path, plugin_file: Callable[..., str], keys: list[str]
) -> None:
    registry = load_registry(["toy", plugin_file(STOPPING)])
    (tmp_path / "run.toml").write_text(run_file(str(tmp_path)))

    def go(*more: str) -> RunRecord:
        runfile = load(tmp_path / "run.toml", [*keys, *more], registry)
        return run(runfile, registry, fresh=False, progress=SilentProgress())

    whole, parts, stops = go("run.name=whole"), None, 0
    while parts is None:
        try:
            parts = go("run.name=parts", "observer.0.name=stopping")
        except StoppedError:
            stops += 1
    assert stops >= 15
    assert same(model(tmp_path, "whole"), model(tmp_path, "parts"))
    assert parts.rounds == whole.rounds
    assert parts.scores == whole.scores


def test_an_unfinished_run_predicts_with_the_weights_that_it_would_keep(
    tmp_path: Path, start: Callable[..., RunRecord]
) -> None:
    start("em.average=0.9")
    (tmp_path / "toy" / "model.safetensors").unlink()
    weights = load_predictor(tmp_path / "toy", plugins=["toy"]).pair.upstream.state_dict()
    assert same({f"upstream.{name}": value for name, value in weights.items()}, last_checkpoint(tmp_path, "average."))
