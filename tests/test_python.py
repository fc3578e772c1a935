"""The package from Python: runs, comparisons and predictions as calls, and a search over hyper-parameters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from toy import BumpData, Bumps, IntervalSettings, run_file

import jointtask
from jointtask.api import ConfigError, RunRecord
from jointtask.runfile.override import override, setting_texts

TOY = str(Path(__file__).with_name("toy.py"))
SMALL = {"em.rounds": 1, "em.warmup_epochs": 1, "data": {"train": {"examples": 12}, "test.examples": 4}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(run_file(str(tmp_path / "runs")))
    return path


def test_what_the_package_offers() -> None:
    offered = {"compare_arms", "hookimpl", "load_predictor", "named_predictor", "run_file"}
    assert offered <= set(dir(jointtask))
    imports = "import sys, jointtask; jointtask.hookimpl; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", imports], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_run_a_prediction_and_a_comparison(file: Path, tmp_path: Path) -> None:
    record = jointtask.run_file(file, overrides=SMALL, plugins=[TOY])
    assert isinstance(record, RunRecord)
    assert record.finished
    predictor = jointtask.load_predictor(record.directory, plugins=[TOY])
    bumps = Bumps(BumpData(examples=19, seed=7))
    examples = [bumps.example(position) for position in range(19)]
    predictions = predictor.predict(examples)
    assert [tuple(prediction.shape) for prediction in predictions] == [(64,)] * 19
    assert all(torch.equal(a, b) for a, b in zip(predictions, predictor.predict(bumps), strict=True))
    assert predictor.predict([]) == []
    vary = {"sampler.name": ["gibbs", "none"]}
    comparison = jointtask.compare_arms(file, vary=vary, overrides=SMALL, seeds=1, output=tmp_path, plugins=[TOY])
    assert [arm.name for arm in comparison.arms] == ["gibbs", "none"]
    assert not comparison.failures


def test_a_bridge_without_frames_wants_a_data_set(file: Path) -> None:
    record = jointtask.run_file(file, overrides=SMALL, plugins=[TOY])
    predictor = jointtask.load_predictor(record.directory, plugins=[TOY])
    whole = predictor.pair.bridge
    left = {name: part for name, part in vars(type(whole)).items() if name not in ("frames", "__dict__", "__weakref__")}
    bridge = type("Bare", (), left)(IntervalSettings())  # type: ignore[call-arg]
    predictor.pair = attrs.evolve(predictor.pair, bridge=bridge)
    bumps = Bumps(BumpData(examples=2))
    assert len(predictor.predict(bumps)) == 2
    with pytest.raises(ConfigError, match="makes no frames of examples") as caught:
        predictor.predict([bumps.example(0)])
    assert "frames(examples)" in caught.value.remedy


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("em.rounds", 3),
        ("upstream.optimizer.rate", 1e-4),
        ("em.temperatures", [2.0, 1.5]),
        ("run.channels_last", True),
        ("run.name", 'it\'s "a" name'),
        ("run.name", "2024-01-01"),
        ("bridge.levels", (-1.0, 0.0, 1.0)),
        ("run.output", Path("/some/where")),
        ("upstream.optimizer", {"name": "sgd", "rates": {"hidden": 0.0}}),
    ],
)
def test_values_of_python_reach_the_run_file_as_they_are(key: str, value: Any) -> None:
    tables, _ = override({}, setting_texts({key: value}))
    for part in key.split("."):
        tables = tables[part]
    plain = str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
    assert tables == plain


@attrs.frozen
class Trial:
    number: int
    rate: float

    def suggest_float(self, *arguments: Any, **options: Any) -> float:
        return self.rate


class Study:
    """What the search of the docs uses of optuna: trials that suggest values, the best of them."""

    def __init__(self, suggestions: list[float]) -> None:
        self.suggestions, self.values = suggestions, []  # type: ignore[var-annotated]

    def optimize(self, objective: Any, n_trials: int) -> None:
        for number, rate in enumerate(self.suggestions[:n_trials]):
            self.values.append((objective(Trial(number, rate)), rate))

    @property
    def best_params(self) -> dict[str, float]:
        return {"rate": max(self.values)[1]}


def test_the_search_of_the_docs_finds_the_better_rate(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[1] / "docs" / "python.md").read_text()
    code = text.partition("<!-- search -->\n```python\n")[2].partition("```")[0]
    assert code.count("\n") <= 22
    study = Study([1e-9, 3e-3])
    optuna = type(sys)("optuna")
    optuna.create_study = lambda **options: study  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "optuna", optuna)
    code = (
        code.replace("run.toml", str(file)).replace("plugins=()", f"plugins=[{TOY!r}]").replace('"iou"', '"accuracy"')
    )
    names: dict[str, Any] = {}
    exec(code, names)  # the code of the docs, as a reader would copy it
    assert names["study"].best_params == {"rate": 3e-3}
