"""A training that goes wrong without an error is named: weights of 0, and networks that give one answer for all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from jointtask.em.assembly import Assembly
from jointtask.em.predict import make_predictor
from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import load
from jointtask.running.assemble import assemble, assemble_optimizers
from jointtask.running.check import check
from jointtask.running.collapse import constant_outputs, constant_predictions
from jointtask.running.run import run
from jointtask.tools.progress import SilentProgress

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = {
    "digits": EXAMPLES / "digit_reading.toml",
    "events": EXAMPLES / "event_detection.toml",
    "objects": EXAMPLES / "object_extraction.toml",
    "trial": Path(__file__).parents[2] / "jointtask" / "testing" / "trial.toml",
}
SMALL = ["data.train.examples=10", "data.validation.examples=4", "data.test.examples=8", "evaluate.predictors=[]"]
VALIDATION = ["data.validation.name=trial-sequences"]
SHORT = ["em.warmup_epochs=1", "em.rounds=1", "em.epochs_per_round=1", "em.oracle_examples=0", "predict.draws=1"]
TABLE = '{}.optimizer={{name="adamw", rate=1e-5, weight_decay=1e5}}'
"""An optimizer whose every step sets the weights to 0."""

WEIGHTS = {
    ("downstream.weight=0",): {"downstream"},
    ("upstream.weight=0",): {"upstream"},
    ("downstream.weight=0.0", "upstream.weight=0"): {"upstream", "downstream"},
    ("downstream.weight=-0.0",): {"downstream"},
    ("downstream.weight=1e-300",): set(),
    ("upstream.weight=1",): set(),
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(["jointtask.testing.trial"])


def file_of(pair: str) -> Path:
    """Return the run file of a pair; skip a test whose plugin is not installed."""
    if FILES[pair].parent == EXAMPLES:
        pytest.importorskip(f"jointtask_{FILES[pair].stem}", reason="the plugin of this pair is not installed")
    return FILES[pair]


def settings(pair: str) -> list[str]:
    return ["run.name=x", *(VALIDATION if pair == "trial" else ()), *SMALL, *SHORT]


def assembled(pair: str, registry: Registry, *overrides: str) -> Assembly:
    runfile = load(file_of(pair), [*settings(pair), *overrides], registry)
    assembly = assemble(runfile, registry, SilentProgress())
    assemble_optimizers(assembly)  # decides which networks learn
    return assembly


@pytest.mark.parametrize("pair", FILES)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_weight_of_0_is_named_by_check_and_by_run(
    weights: tuple[str, ...], pair: str, registry: Registry, tmp_path: Path
) -> None:
    runfile = load(file_of(pair), [*settings(pair), f"run.output={tmp_path}", *weights], registry)
    told = {line for line in check(runfile, registry, SilentProgress()) if ".weight is 0: " in line}
    named = {f"warning: {role}.weight is 0" for role in WEIGHTS[weights]}
    assert {line.partition(":")[0] + ":" + line.split(":")[1] for line in told} == named
    if pair == "trial" or weights == ("downstream.weight=0",):
        record = run(runfile, registry, fresh=False, progress=SilentProgress())
        assert {line.partition(".")[0] for line in record.warnings if ".weight is 0: " in line} == WEIGHTS[weights]


@pytest.mark.parametrize("pair", FILES)
@pytest.mark.parametrize("role", ["upstream", "downstream"])
@pytest.mark.parametrize("kind", ["zero weights", "one answer", "nearly one answer"])
def test_a_network_that_gives_one_answer_is_named(kind: str, role: str, pair: str, registry: Registry) -> None:
    assembly = assembled(pair, registry)
    module = assembly.pair.modules[role]
    if kind == "zero weights":
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.zero_()
    else:
        forward, noise = module.forward, 1e-7 if kind == "nearly one answer" else 0.0

        def constant(inputs: object) -> object:
            return _first(forward(inputs), noise)

        module.forward = constant  # type: ignore[method-assign]
    test = assembly.test
    assert test is not None
    found = constant_predictions(make_predictor(assembly.pair, assembly.runfile), test)
    assert [line.split()[1] for line in found] == [role]
    if kind != "nearly one answer":
        assert [line.split()[1] for line in constant_outputs(assembly)] == [role]


@pytest.mark.parametrize("pair", FILES)
def test_networks_that_look_at_their_input_are_not_named(pair: str, registry: Registry) -> None:
    assembly = assembled(pair, registry)
    test = assembly.test
    assert test is not None
    assert constant_outputs(assembly) == []
    # Untrained networks answer from little of their input: what they give is spread by larger weights.
    with torch.no_grad():
        for module in assembly.pair.modules.values():
            for parameter in module.parameters():
                parameter.mul_(2)
    assert constant_predictions(make_predictor(assembly.pair, assembly.runfile), test) == []


def test_a_task_without_parameters_is_not_named(registry: Registry) -> None:
    whole = ["upstream={name='whole-frame'}", "bridge={name='whole-frame'}", "sampler.name=none", "proposal=[]"]
    assembly = assembled("objects", registry, *whole)
    assert constant_outputs(assembly) == []
    test = assembly.test
    assert test is not None
    found = constant_predictions(make_predictor(assembly.pair, assembly.runfile), test)
    assert not any("upstream" in line for line in found)


@pytest.mark.parametrize("pair", ["digits", "events", "trial"])
@pytest.mark.parametrize("role", ["upstream", "downstream"])
def test_a_run_whose_weights_vanish_says_so(role: str, pair: str, registry: Registry, tmp_path: Path) -> None:
    collapse = [f"run.output={tmp_path}", TABLE.format(role)]
    runfile = load(file_of(pair), [*settings(pair), *collapse], registry)
    record = run(runfile, registry, fresh=False, progress=SilentProgress())
    assert any(line.startswith(f"The {role} network") for line in record.warnings), record.warnings
    assert f"The {role} network" in (tmp_path / "x" / "report.html").read_text()


def _first(output: object, noise: float) -> object:
    """Return the first row's prediction for all rows, with noise."""
    if isinstance(output, Tensor):
        return output[:1].expand_as(output) + noise * torch.randn_like(output)
    assert isinstance(output, tuple)
    return type(output)(*(_first(part, noise) for part in output))
