"""The checks for proposal terms, data sets, metrics, samplers and plugins: what is wrong is caught, and named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from jointtask.api.component import Context
from jointtask.api.metric import Metric, Summary
from jointtask.api.record import RunRecord
from jointtask.em.proposals.gaussian import GaussianTerm
from jointtask.em.proposals.upstream import UpstreamTerm
from jointtask.testing import (
    check_bridge,
    check_dataset,
    check_metric,
    check_plugin,
    check_proposal_term,
    check_task,
)
from jointtask.testing.trial import Find, Interval, IntervalSettings, Mark, Sequences, SequencesSettings, accuracy

PluginFile = Callable[..., str]
TRIAL = "jointtask.testing.trial"
DATA = Sequences(SequencesSettings(examples=6))
BATCH = DATA.batch(range(6))
BRIDGE = Interval(IntervalSettings())


def test_the_trial_pair_conforms() -> None:
    check_task(Find(), BATCH, BRIDGE.base(BATCH))
    condition = BRIDGE.condition(BATCH, BRIDGE.base(BATCH)[:, None])
    check_task(Mark(), condition.input, condition.target)
    right = lambda target: 20 * (2 * target - 1)  # noqa: E731
    check_bridge(BRIDGE, BATCH, Mark(), example=DATA.example(0), perfect=right, truth="label", tolerance=0.02)
    check_dataset(DATA, BRIDGE, again=Sequences(SequencesSettings(examples=6)))
    check_proposal_term(GaussianTerm(BRIDGE.grid, 50.0, 25.0), BATCH, BRIDGE, name="gaussian")
    check_proposal_term(UpstreamTerm(1.0), BATCH, BRIDGE, name="upstream")
    check_plugin(TRIAL)


class Edges:
    """A term with something to prepare: where neighbouring values differ."""

    version = "1"
    prepares = True

    def prepare(self, example: Mapping[str, Tensor]) -> Any:
        return example["values"].diff(prepend=example["values"][:1]).abs().numpy()

    def log_weight(self, batch: Any, reference: Tensor, history: Any) -> Tensor:
        index = reference.long().clamp(0, 63)
        start, stop = (batch["edges"].gather(1, index[..., side]) for side in (0, 1))
        return start + stop


class Growing(Edges):
    def prepare(self, example: Mapping[str, Tensor]) -> Any:
        return example["label"].nonzero().numpy()


class Erasing(Edges):
    def prepare(self, example: Mapping[str, Tensor]) -> Any:
        return super().prepare({"values": example["values"].mul_(2)})


class Fickle(Edges):
    def prepare(self, example: Mapping[str, Tensor]) -> Any:
        return super().prepare(example) + torch.rand(1).numpy()


class Summed(Edges):
    def log_weight(self, batch: Any, reference: Tensor, history: Any) -> Tensor:
        return super().log_weight(batch, reference, history).sum(dim=1)


class Blind(Edges):
    def log_weight(self, batch: Any, reference: Tensor, history: Any) -> Tensor:
        return (super().log_weight(batch, reference, history) * 0).log()


class Frozen(Edges):
    """Never proposes the state at which every chain starts."""

    def log_weight(self, batch: Any, reference: Tensor, history: Any) -> Tensor:
        weight = super().log_weight(batch, reference, history)
        start = (reference == history.mean[:, None]).all(dim=-1)
        return weight.masked_fill(start, -torch.inf)


class Undefined(Edges):
    def log_weight(self, batch: Any, reference: Tensor, history: Any) -> Tensor:
        return super().log_weight(batch, reference, history) * torch.nan


class Centred(Edges):
    def log_weight(self, batch: Any, reference: Tensor, history: Any) -> Tensor:
        weight = super().log_weight(batch, reference, history)
        return weight - weight.mean()


class Hoping(UpstreamTerm):
    def __init__(self) -> None:
        super().__init__(1.0)

    def log_weight(self, batch: Any, reference: Tensor, history: Any) -> Tensor:
        return super().log_weight(batch, reference, history) * torch.nan


class Unversioned(Edges):
    version: Any = 1


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (Growing, "arrays of the shapes .* expected one fixed shape"),
        (Erasing, "the example given to prepare was changed"),
        (Fickle, "something else for the same example"),
        (Summed, r"log_weight has the shape \(6,\); expected one number a reference"),
        (Blind, r"leaves the examples \[0, .*\] without any usable reference"),
        (Frozen, r"-inf at no adjustment of the examples \[0, .*\]; expected a number: chains start there"),
        (Undefined, "log_weight gives NaN"),
        (Centred, "not that in a batch, bit for bit"),
        (Unversioned, "version is 1; expected a string"),
        (Hoping, "log_weight gives NaN"),
    ],
)
def test_a_wrong_proposal_term_is_caught(term: type[Edges | UpstreamTerm], message: str) -> None:
    batch = {name: tensor.clone() for name, tensor in BATCH.items()}
    check_proposal_term(Edges(), batch, BRIDGE, name="edges")
    with pytest.raises(AssertionError, match=message):
        check_proposal_term(term(), batch, BRIDGE, name="edges")


def test_a_term_without_a_part_is_told_which() -> None:
    with pytest.raises(AssertionError, match="the proposal term, object, has no 'version'"):
        check_proposal_term(object(), BATCH, BRIDGE, name="edges")  # type: ignore[arg-type]


class Twins(Sequences):
    def __init__(self, settings: SequencesSettings) -> None:
        super().__init__(settings)
        self.ids[1] = self.ids[0]


class OneDigest(Sequences):
    def __init__(self, settings: SequencesSettings) -> None:
        super().__init__(settings)
        self.digests = self.digests[:1] * len(self.digests)


class Sorted(Sequences):
    def batch(self, index: Any) -> dict[str, Tensor]:
        return super().batch(sorted(index))


class Shared(Sequences):
    def batch(self, index: Any) -> dict[str, Tensor]:
        if not hasattr(self, "kept"):
            self.kept = super().batch(index)
        return self.kept if len(index) == len(self.kept["values"]) else super().batch(index)


class Flat(Sequences):
    def batch(self, index: Any) -> dict[str, Tensor]:
        return {name: tensor.T for name, tensor in super().batch(index).items()}


class Unlabelled(Sequences):
    def batch(self, index: Any) -> dict[str, Tensor]:
        return {"values": super().batch(index)["values"]}


class Anonymous(Sequences):
    def example(self, index: int) -> Any:
        return super().example(0)


class Clocked(Sequences):
    def __init__(self, settings: SequencesSettings) -> None:
        super().__init__(settings)
        self.fingerprint = f"{id(self):064x}"


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Twins, "ids are not distinct: 0-0000; expected one name an example"),
        (OneDigest, "differ and have one digest"),
        (Sorted, "not in the order of its index"),
        (Shared, "something else the second time"),
        (Flat, r"has the shape \(64, 4\); expected \(4, ...\), B first"),
        (Unlabelled, "no label, which the bridge needs; it has values, expected values, label"),
        (Anonymous, r"example\(1\) has the id '0-0000'; expected '0-0001'"),
        (Clocked, "fingerprint differs when the data set is built again"),
    ],
)
def test_a_wrong_data_set_is_caught(dataset: type[Sequences], message: str) -> None:
    settings = SequencesSettings(examples=6)
    with pytest.raises(AssertionError, match=message):
        check_dataset(dataset(settings), BRIDGE, again=dataset(settings))


MEAN = Summary("mean, in [0, 1]", "higher", lambda scores: float(scores.mean()))


def test_a_metric_gives_its_numbers() -> None:
    example = DATA.example(0)
    assert check_metric(Metric(accuracy, {"accuracy": MEAN}), example.label, example, score=1.0) == {"accuracy": 1.0}


def erasing(prediction: Tensor, example: Any) -> float:
    return float(prediction.add_(1).mean())


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (accuracy, "expected a jointtask.api.metric.Metric, got function"),
        (Metric(accuracy, {}), "has no summaries"),
        (Metric(erasing, {"a": MEAN}), "left as they were given"),
        (Metric(lambda p, e: p.mean(), {"a": MEAN}), "the score is a Tensor; expected a float"),
        (Metric(lambda p, e: "good", {"a": MEAN}), "the score is a str, no number"),
        (Metric(lambda p, e: 0.5, {"a": MEAN}), "the score is 0.5; expected 1.0"),
        (Metric(accuracy, {"a": Summary("", "higher", MEAN.reduce)}), "'a' has no definition"),
        (Metric(accuracy, {"a": Summary("a", "more", MEAN.reduce)}), "says 'more' is better"),  # type: ignore[arg-type]
        (Metric(accuracy, {"a": Summary("a", "higher", lambda s: s.sum())}), "does not grow with the number"),
        (Metric(accuracy, {"a": Summary("a", "higher", lambda s: None)}), "reduces to a NoneType"),  # type: ignore[arg-type, return-value]
    ],
)
def test_a_wrong_metric_is_caught(metric: Any, message: str) -> None:
    example = DATA.example(0)
    with pytest.raises(AssertionError, match=message):
        check_metric(metric, example.label.clone(), example, score=1.0)


SAMPLER = "@hookimpl\ndef jointtask_samplers():\n    return [SamplerComponent({})]\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import no_such_module\n", r"odd.py sha256:\w+ is failed, expected loaded: ModuleNotFoundError"),
        (SAMPLER.format("'mine', dict, print, 'text', exact=True, proposal='none'"), "not used: .* no attrs class"),
        (SAMPLER.format("'mine', NoSettings, print, '', exact=True, proposal='none'"), "'mine' has no summary"),
        (
            "@attrs.frozen\nclass S:\n    a: int = 1\n"
            + SAMPLER.format("'mine', S, print, 'text', exact=True, proposal='none'"),
            "no help for a; expected metadata",
        ),
        (
            "@hookimpl\ndef jointtask_commands():\n    return [Command('mine', 'text', 'no_such:thing')]\n",
            "the command 'mine' cannot be imported from no_such:thing",
        ),
        ("x = 1\n", "implements no hook"),
    ],
)
def test_a_wrong_plugin_is_caught(plugin_file: PluginFile, body: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_plugin(plugin_file(body))


def test_a_plugin_that_is_not_there() -> None:
    with pytest.raises(AssertionError, match="no plugin is installed by the name 'nothing-at-all'"):
        check_plugin("nothing-at-all")
    assert "sampler gibbs" in check_plugin("jointtask")


def test_the_fixtures_come_with_the_package(
    jointtask_context: Context, jointtask_run: Callable[..., RunRecord], tmp_path: Path
) -> None:
    assert jointtask_context.device.type == "cpu"
    assert jointtask_context.bridge is None
    file = tmp_path / "trial.toml"
    file.write_text(
        '[run]\nname = "trial"\n[data.train]\nname = "trial-sequences"\nexamples = 16\n'
        '[data.test]\nname = "trial-sequences"\nseed = 1\nexamples = 8\n'
        '[upstream]\nname = "trial-find"\n[downstream]\nname = "trial-mark"\n[bridge]\nname = "trial-interval"\n'
        '[sampler]\nname = "gibbs"\n[evaluate]\nmetrics = ["trial-accuracy"]\npredictors = ["trial-threshold"]\n'
    )
    record = jointtask_run(file, "em.rounds=1", "em.warmup_epochs=1", plugins=(TRIAL,))
    assert {score.predictor for score in record.scores} == {"this run", "trial-threshold", "trial-mean"}
    assert Path(record.directory).parent == tmp_path / "runs"
