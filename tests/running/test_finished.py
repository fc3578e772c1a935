"""A finished run: what is missing or damaged is made again, and what decides nothing may change."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from toy import run_file

from jointtask.api.errors import ConfigError
from jointtask.api.record import RunRecord
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import load
from jointtask.running.evaluate import evaluate_run
from jointtask.running.run import run
from jointtask.running.trained import load_predictor
from jointtask.tools.progress import SilentProgress

TOY = Path(__file__).parents[1] / "toy.py"
SAME = ("config.toml", "history.jsonl", "latents.safetensors", "model.safetensors", "report.json", "timing.jsonl")
LISTENER = """
from pathlib import Path
from jointtask import hookimpl


@hookimpl
def jointtask_run_started(record):
    with Path({path!r}).open("a") as file:
        file.write("started ")
"""


class Listening(SilentProgress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "listener.py").write_text(LISTENER.format(path=str(folder / "heard")))
    return load_registry([str(TOY), str(folder / "listener.py")])


def start(
    folder: Path, registry: Registry, *overrides: str, fresh: bool = False, **tables: str
) -> tuple[RunRecord, list[str]]:
    small = {"em": "warmup_epochs = 1\nrounds = 1\nbatch_size = 16\noracle_examples = 1", **tables}
    (folder / "run.toml").write_text(run_file("runs", **small))
    progress = Listening()
    runfile = load(folder / "run.toml", [f"run.output={folder / 'runs'}", *overrides], registry)
    return run(runfile, registry, fresh=fresh, progress=progress), progress.said


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    folder = tmp_path_factory.mktemp("original")
    start(folder, registry)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, moved to another place."""
    shutil.copytree(original / "runs", tmp_path / "runs")
    return tmp_path


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(bytes(content))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def of_another(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


DAMAGE: list[Callable[[Path], None]] = [remove, cut, flip, empty, of_another]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", [*SAME[1:], "report.html"])
def test_what_a_finished_run_lacks_is_made_again(
    name: str, damage: Callable[[Path], None], folder: Path, registry: Registry
) -> None:
    directory = folder / "runs" / "toy"
    before = {each: (directory / each).read_bytes() for each in SAME}
    damage(directory / name)
    record, said = start(folder, registry)
    (line,) = [line for line in said if "this run is finished" in line]
    assert f"made again: {name}" in line
    assert record.finished
    after = {each: (directory / each).read_bytes() for each in SAME if each not in ("config.toml", "report.json")}
    assert after == {each: before[each] for each in after}
    assert (directory / "report.html").read_text().rstrip().endswith("</html>")
    _, again = start(folder, registry)
    assert again == [f"{directory}: this run is finished; --fresh starts it again, a larger em.rounds extends it"]


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"rounds": 1}', '{"rounds": 1, "files": [], "scoring": 2}'])
def test_a_damaged_mark_is_no_mark(text: str, folder: Path, registry: Registry) -> None:
    (folder / "runs" / "toy" / "finished.json").write_text(text)
    record, said = start(folder, registry)
    assert record.finished
    assert not any("this run is finished" in line for line in said)
    assert json.loads((folder / "runs" / "toy" / "finished.json").read_text())["rounds"] == 1


def test_a_moved_run_tells_its_present_path_and_keeps_its_observers_quiet(
    original: Path, folder: Path, registry: Registry
) -> None:
    heard = Path(registry.plugins.manager.get_plugin("listener").__file__).with_name("heard")  # type: ignore[union-attr, arg-type]
    before = heard.read_text()
    record, _ = start(folder, registry)
    assert record.directory == str(folder / "runs" / "toy")
    (folder / "runs" / "toy" / "report.html").unlink()
    record, said = start(folder, registry)
    assert record.directory == str(folder / "runs" / "toy")
    assert heard.read_text() == before
    assert str(original) not in "".join(said)


@pytest.mark.parametrize(
    "evaluate",
    [
        "metrics = []",
        'metrics = ["toy-accuracy"]',
        'metrics = ["toy-accuracy"]\npredictors = []',
        'metrics = ["toy-accuracy"]\neach_round = ["toy-accuracy"]\npredictors = ["toy-nothing"]',
        'each_round = ["toy-accuracy"]',
    ],
)
def test_metrics_that_decide_nothing_may_change(evaluate: str, folder: Path, registry: Registry) -> None:
    weights = load_file(folder / "runs" / "toy" / "model.safetensors")
    record, said = start(folder, registry, evaluate=evaluate)
    assert any("made again: scores" in line for line in said)
    assert len(record.scores) == ("toy-accuracy" in evaluate) + ("toy-nothing" in evaluate)
    after = load_file(folder / "runs" / "toy" / "model.safetensors")
    assert all(torch.equal(tensor, after[name]) for name, tensor in weights.items())
    assert not any("made again" in line for line in start(folder, registry, evaluate=evaluate)[1])


def test_a_metric_of_another_version_scores_again(folder: Path, registry: Registry) -> None:
    path = folder / "runs" / "toy" / "finished.json"
    mark = json.loads(path.read_text())
    assert list(mark["scoring"]["versions"]) == ["toy.py"]
    mark["scoring"]["versions"] = {"toy.py": "0.9"}
    path.write_text(json.dumps(mark))
    report = folder / "runs" / "toy" / "report.json"
    before = report.read_text()
    record, said = start(folder, registry)
    assert any("made again: scores" in line for line in said)
    assert record.scores
    assert json.loads(report.read_text())["scores"] == json.loads(before)["scores"]


@pytest.mark.parametrize("follow", ["em.keep=best", "em.patience=5"])
def test_a_metric_that_a_run_follows_decides(follow: str, tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry, follow)
    with pytest.raises(ConfigError, match=r"evaluate\.each_round: was"):
        start(tmp_path, registry, follow, 'evaluate.each_round=["toy-accuracy"]')
    start(tmp_path, registry, follow, "evaluate.predictors=[]")


def damaged_bytes(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for position in range(len(content) - 400, len(content) - 200):
        content[position] ^= 8
    path.write_bytes(bytes(content))


def not_a_number(path: Path) -> None:
    weights = load_file(path)
    next(iter(weights.values())).view(-1)[0] = torch.nan
    save_file(weights, path)


def infinite(path: Path) -> None:
    weights = load_file(path)
    next(iter(weights.values())).view(-1)[-1] = torch.inf
    save_file(weights, path)


def described_otherwise(path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        metadata = json.loads(file.metadata()["jointtask"])
    metadata["description"]["scores"] = {}
    save_file(load_file(path), path, {"jointtask": json.dumps(metadata)})


def without_description(path: Path) -> None:
    save_file(load_file(path), path, {"jointtask": '{"digest": "0"}'})


def of_metadata_that_is_a_list(path: Path) -> None:
    save_file(load_file(path), path, {"jointtask": "[1]"})


@pytest.mark.parametrize(
    "damage",
    [
        damaged_bytes,
        not_a_number,
        infinite,
        described_otherwise,
        without_description,
        of_metadata_that_is_a_list,
        cut,
        empty,
    ],
)
def test_damaged_weights_are_refused_wherever_they_are_used(
    damage: Callable[[Path], None], folder: Path, registry: Registry
) -> None:
    directory = folder / "runs" / "toy"
    damage(directory / "model.safetensors")
    match = "is damaged|not finite"
    for call in (
        lambda: load_predictor(directory, plugins=[str(TOY)]),
        lambda: evaluate_run(str(directory), registry, overrides=[], progress=SilentProgress()),
        lambda: start(folder, registry, "run.name=other", f"run.start={directory}"),
    ):
        with pytest.raises(ConfigError, match=match) as caught:
            call()
        assert caught.value.remedy
    _, said = start(folder, registry)
    assert any("made again: model.safetensors" in line for line in said)
    load_predictor(directory, plugins=[str(TOY)])


def test_a_model_says_how_its_inputs_are_made_and_an_old_one_is_read(folder: Path) -> None:
    directory = folder / "runs" / "toy"
    with safe_open(directory / "model.safetensors", framework="pt") as file:
        metadata = json.loads(file.metadata()["jointtask"])
    assert metadata["description"]["preprocessing"]["bridge"]["name"] == "toy-interval"
    assert metadata["description"]["scores"]["accuracy"]["better"] == "higher"
    assert len(metadata["digest"]) == 32
    save_file(load_file(directory / "model.safetensors"), directory / "model.safetensors")  # as before digests
    assert load_predictor(directory, plugins=[str(TOY)]).draws == 1


def renamed(weights: dict[str, Any]) -> None:
    weights["upstream.other.weight"] = weights.pop("upstream.hidden.weight")


def reshaped(weights: dict[str, Any]) -> None:
    weights["upstream.hidden.weight"] = torch.zeros(3, 4)


def missing(weights: dict[str, Any]) -> None:
    del weights["downstream.out.bias"]


def one_more(weights: dict[str, Any]) -> None:
    weights["downstream.new.bias"] = torch.zeros(1)


def of_another_pair(weights: dict[str, Any]) -> None:
    weights.clear()
    weights["upstream.layers.0.weight"] = torch.zeros(1)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (renamed, "missing: hidden.weight; not in the network: other.weight"),
        (reshaped, "of another shape: hidden.weight (3, 4), where the network has (32, 64)"),
        (missing, "missing: out.bias"),
        (one_more, "not in the network: new.bias"),
        (of_another_pair, "missing: hidden.weight, hidden.bias, out.weight and 1 more; not in the network: layers.0"),
    ],
)
def test_weights_that_do_not_fit_are_told_by_name(
    change: Callable[[dict[str, Any]], None], cause: str, folder: Path
) -> None:
    path = folder / "runs" / "toy" / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)
    with pytest.raises(ConfigError, match=r"do not fit the (up|down)stream network") as caught:
        load_predictor(path.parent, plugins=[str(TOY)])
    assert cause in caught.value.cause


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.train.examples=40", "data.train: not the examples that the run began with: 48 then, 40 now"),
        ("data.train.seed=4", "data.train: not the examples that the run began with: 48 as before, but"),
        ("data.test.examples=9", "data.test: not the examples that the run began with: 16 then, 9 now"),
        ("data.validation.seed=9", "data.validation: not the examples that the run began with: 16 as before, but"),
    ],
)
def test_other_data_are_told_in_words(override: str, words: str, folder: Path, registry: Registry) -> None:
    with pytest.raises(ConfigError, match="holds another run") as caught:
        start(folder, registry, override)
    assert words in str(caught.value)
    assert not [word for word in str(caught.value).split() if len(word.strip("',")) == 64]


def test_a_resumed_run_that_gives_something_else_is_refused(tmp_path: Path, registry: Registry) -> None:
    start(tmp_path, registry)
    plugin: Any = registry.plugins.manager.get_plugin("toy")
    with pytest.MonkeyPatch.context() as patch:
        forward = plugin.Locate.forward
        patch.setattr(plugin.Locate, "forward", lambda self, batch: forward(self, batch) + 3.0)
        with pytest.raises(Exception, match="the upstream network does not give what it gave") as caught:
            start(tmp_path, registry, "em.rounds=2")
    assert "energy of 4 training examples" in caught.value.cause  # type: ignore[attr-defined]
    record, _ = start(tmp_path, registry, "em.rounds=2")
    assert len(record.rounds) == 3


def test_a_task_without_weight_and_constant_predictions_are_named(tmp_path: Path, registry: Registry) -> None:
    record, _ = start(tmp_path, registry, "downstream.weight=0")
    assert any("downstream.weight is 0" in line for line in record.warnings)
    plugin: Any = registry.plugins.manager.get_plugin("toy")
    with pytest.MonkeyPatch.context() as patch:
        constant = lambda self, batch: 30.0 + 0 * self.out(torch.tanh(self.hidden(batch["values"])))  # noqa: E731
        patch.setattr(plugin.Locate, "forward", constant)
        record, _ = start(tmp_path, registry, "run.name=constant")
    assert any("The upstream network predicts the same reference for 8" in line for line in record.warnings)
    assert (
        attrs.asdict(record)["warnings"]
        == json.loads((tmp_path / "runs" / "constant" / "report.json").read_text())["warnings"]
    )
