"""Broken plugins, provoked from the command line: each is named with its version and what was expected of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

PluginFile = Callable[..., str]
IMPORTS = """
import numpy as np
import torch
from jointtask.api.sampler import Draws
from jointtask.api.component import PanelComponent
from jointtask.api.metric import Metric, Summary
from jointtask.testing.trial import *
"""
Call = Callable[..., tuple[int, str, str]]


def sampler(returned: str) -> str:
    """Return a plugin whose sampler returns an expression in `index`, `energy` and `weight`, all of them right."""
    return f"""
import torch
from jointtask.api.sampler import Draws

def sample(target, random):
    index = target.start[:, None].expand(-1, 2)
    energy = target.energy(index)
    weight = torch.zeros_like(energy)
    return {returned}

@hookimpl
def jointtask_samplers():
    build = lambda settings, context: sample
    return [SamplerComponent("odd", NoSettings, build, "odd", exact=False, proposal="none")]
"""


SAMPLERS = {
    "a shape": ("Draws(index[:1], energy, weight)", "returned an index of shape (1, 2); expected (8, K)"),
    "another shape": ("Draws(index, energy[:, :1], weight)", "returned 'energy' of shape (8, 1); expected (8, 2)"),
    "NaN": ("Draws(index, energy * torch.nan, weight)", "returned NaN among energies or weights"),
    "off the grid": ("Draws(index + 9, energy, weight)", "returned a state off the grid; expected 0 to 8"),
    "a type": ("Draws(index.float(), energy, weight)", "returned an index of torch.float32; expected torch.int64"),
    "an array": ("Draws(index.numpy(), energy, weight)", "returned 'index' as numpy.ndarray; expected a tensor"),
    "nothing": ("None", "returned NoneType, not Draws"),
}


@pytest.mark.parametrize("wrong", SAMPLERS)
def test_a_sampler_that_returns_what_it_must_not(call: Call, wrong: str) -> None:
    returned, message = SAMPLERS[wrong]
    code, _, said = call(sampler(returned), "sampler.name=odd")
    assert code == 2
    assert "the sampler 'odd' of odd.py sha256:" in said
    assert message in said
    assert "Traceback" not in said


def test_a_sampler_that_asks_for_states_off_the_grid(call: Call) -> None:
    code, _, said = call(sampler("Draws(index, target.energy(index + 9), weight)"), "sampler.name=odd")
    assert code == 1
    assert "cause: IndexError: energies were asked for of states 13 to 13; the grid has 0 to 8" in said
    assert "\n  remedy: JOINTTASK_TRACEBACK=1 shows the traceback" in said


def test_a_sampler_that_raises(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, said = call(sampler("Draws(index, energy, weight) / 0"), "sampler.name=odd")
    assert code == 1
    assert "the sampler 'odd' of odd.py sha256:" in said
    assert "failed\n  cause: TypeError: unsupported operand" in said
    assert "(odd.py, line 12)" in said
    assert "Traceback" not in said
    monkeypatch.setenv("JOINTTASK_TRACEBACK", "1")
    _, _, said = call(sampler("Draws(index, energy, weight) / 0"), "sampler.name=odd")
    assert "Traceback" in said


def component(hook: str, build: str, name: str = "odd", setup: str = "") -> str:
    return f"{IMPORTS}{setup}\n@hookimpl\ndef {hook}():\n    return [Component('{name}', NoSettings, {build}, 'odd')]\n"


BASES = {
    "Find": ("jointtask_tasks", "lambda s, c: Odd()"),
    "Mark": ("jointtask_tasks", "lambda s, c: Odd()"),
    "Interval": ("jointtask_bridges", "lambda s, c: Odd(IntervalSettings())"),
    "Sequences": ("jointtask_datasets", "lambda s, c: Odd(SequencesSettings(examples=8))"),
}


def subclass(base: str, body: str) -> str:
    return component(*BASES[base], setup=f"class Odd({base}):\n    {body}\n")


PARTS = {
    "a dependency that is missing": (
        component("jointtask_tasks", "lambda s, c: __import__('no_such_module')"),
        "upstream.name=odd",
        (
            "the task network 'odd' of odd.py sha256:",
            "cannot be built",
            "install what it needs: the module 'no_such_mod",
        ),
    ),
    "a build that fails": (
        component("jointtask_bridges", "lambda s, c: 1 / 0"),
        "bridge.name=odd",
        ("the bridge 'odd' of odd.py sha256:", "cause: ZeroDivisionError: division by zero (odd.py, line "),
    ),
    "a task that is no module": (
        component("jointtask_tasks", "lambda s, c: object()"),
        "downstream.name=odd",
        ("the task network 'odd' of odd.py", "was built as object; expected a torch.nn.Module"),
    ),
    "a task without energy": (
        component("jointtask_tasks", "lambda s, c: torch.nn.Linear(1, 1)"),
        "upstream.name=odd",
        (
            "the task network 'odd' of odd.py",
            "without energy, parameter_groups; expected energy(prediction, target): return",
        ),
    ),
    "an energy that is averaged": (
        subclass("Mark", "def energy(self, p, t): return super().energy(p, t).mean()"),
        "downstream.name=odd",
        ("the downstream task 'odd' of odd.py", "energy gave the shape (); expected (4,)"),
    ),
    "a loss that is averaged": (
        subclass("Mark", "def training_loss(self, p, t): return self.energy(p, t).mean()"),
        "downstream.name=odd",
        ("the downstream task 'odd' of odd.py", "training_loss gave the shape (); expected (4,)"),
    ),
    "an upstream loss that is averaged": (
        subclass("Find", "def training_loss(self, p, t): return self.energy(p, t).mean()"),
        "upstream.name=odd",
        ("the upstream task 'odd' of odd.py", "training_loss gave the shape (); expected (2,)"),
    ),
    "an upstream task without reference": (
        subclass("Mark", "def forward(self, b): return super().forward(b['values'])"),
        "upstream.name=odd",
        ("the upstream task 'odd' of odd.py", "energy raised an error"),
    ),
    "a bridge that is half there": (
        component("jointtask_bridges", "lambda s, c: object()"),
        "bridge.name=odd",
        ("the bridge 'odd' of odd.py", "was built as object, without grid, coordinates"),
    ),
    "a bridge that returns another device": (
        subclass("Interval", "def base(self, b): return super().base(b).to('meta')"),
        "bridge.name=odd",
        ("the bridge 'odd' of odd.py", "base gave a tensor on meta; expected the batch's device, cpu"),
    ),
    "a bridge that returns another shape": (
        subclass("Interval", "def base(self, b): return super().base(b)[:, :1]"),
        "bridge.name=odd",
        ("the bridge 'odd' of odd.py", "base gave the shape (2, 1); expected (2, 2)"),
    ),
    "a condition with too few rows": (
        subclass("Interval", "def condition(self, b, r): return super().condition(b, r[:, :1])"),
        "bridge.name=odd",
        ("the bridge 'odd' of odd.py", "the input of condition has 2 rows; expected B * K, 4"),
    ),
    "a restore without rows": (
        subclass("Interval", "def restore(self, p, r): return super().restore(p, r)[:, 0]"),
        "bridge.name=odd",
        ("the bridge 'odd' of odd.py", "restore gave the shape (2, 64); expected (2, 2, ...)"),
    ),
    "a data set without a key": (
        subclass("Sequences", "def batch(self, i): return {'values': super().batch(i)['values']}"),
        "data.train.name=odd",
        (
            "the data set 'odd' of odd.py",
            "gives no label, which the bridge 'trial-interval' of jointtask.testing.trial",
        ),
    ),
    "a data set that is empty": (
        subclass("Sequences", "def __len__(self): return 0"),
        "data.train.name=odd",
        ("the data set 'odd' of odd.py", "has no examples; expected one at least"),
    ),
    "a data set with an id twice": (
        subclass("Sequences", "def __init__(self, s):\n        super().__init__(s)\n        self.ids = ['a'] * 8"),
        "data.train.name=odd",
        ("the data set 'odd' of odd.py", "has one id for several examples: a; expected distinct ids"),
    ),
    "a data set with flat batches": (
        subclass("Sequences", "def batch(self, i): return {k: v.T for k, v in super().batch(i).items()}"),
        "data.train.name=odd",
        ("the data set 'odd' of odd.py", "gave 'values' of shape (64, 2) for 2 examples; expected a tensor (2, ...)"),
    ),
    "a metric that is none": (
        component("jointtask_metrics", "lambda s, c: print"),
        "evaluate.metrics=['odd']",
        ("the metric 'odd' of odd.py", "was built as builtin_function_or_method; expected a Metric"),
    ),
    "a score that is no number": (
        component("jointtask_metrics", "lambda s, c: Metric(lambda p, e: 'good', {'a': Summary('a', 'higher', len)})"),
        "evaluate.metrics=['odd']",
        ("the metric 'odd' of odd.py", "gave a score that is a str; expected a float or a float64 array"),
    ),
    "scores of several shapes": (
        component(
            "jointtask_metrics",
            "lambda s, c: Metric(lambda p, e: np.zeros(int(e.label.sum())), {'a': Summary('a', 'lower', len)})",
        ),
        "evaluate.metrics=['odd']",
        ("the metric 'odd' of odd.py", "gave scores of the shapes (", "expected one fixed shape"),
    ),
    "a metric that raises": (
        component("jointtask_metrics", "lambda s, c: Metric(lambda p, e: 1 / 0, {'a': Summary('a', 'higher', len)})"),
        "evaluate.metrics=['odd']",
        (
            "the metric 'odd' of odd.py sha256:",
            "score or a summary raised an error; expected a number\n  cause: ZeroDivisionError",
        ),
    ),
    "a predictor that cannot be called": (
        component("jointtask_predictors", "lambda s, c: 3"),
        "evaluate.predictors=['odd']",
        ("the predictor 'odd' of odd.py", "was built as int, which cannot be called; expected a function predict(exam"),
    ),
}


@pytest.mark.parametrize("wrong", PARTS)
def test_a_part_that_breaks_its_contract_is_named(call: Call, wrong: str) -> None:
    body, override, expected = PARTS[wrong]
    code, _, said = call(body, override)
    assert code in (1, 2)
    for text in expected:
        assert text in said
    assert "Traceback" not in said


TERM = """
class Term:
    version, prepares = "1", False
    def log_weight(self, batch, reference, history):
        return {}
"""


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ("reference.sum(dim=(1, 2))", "gave log weights of shape (8,); expected (B, N), (8, 9)"),
        ("reference[..., 0] * torch.nan", "gave NaN or +inf among its log weights"),
    ],
)
def test_a_proposal_term_that_gives_what_it_must_not(call: Call, weight: str, message: str) -> None:
    body = component("jointtask_proposal_terms", "lambda s, c: Term()", setup=TERM.format(weight))
    body = body.replace("    def log_weight", "    def prepare(self, example): ...\n    def log_weight")
    code, _, said = call(body, 'proposal=[{name="odd"}]', "sampler.name=metropolis-hastings")
    assert code == 2
    assert "the proposal term 'odd' of odd.py sha256:" in said
    assert message in said


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            f"{IMPORTS}\n@hookimpl\ndef jointtask_panels():\n    return [PanelComponent('odd', NoSettings,"
            " lambda s, c: lambda data: 1 / 0, 'odd', bridge='trial-interval')]\n",
            "raised ZeroDivisionError: division by zero (odd.py, line ",
        ),
        ("@hookimpl\ndef jointtask_run_started(record):\n    1 / 0\n", "jointtask_run_started of odd.py sha256:"),
    ],
)
def test_what_decorates_a_run_cannot_end_it(call: Call, body: str, expected: str) -> None:
    code, out, said = call(body)
    assert code == 0
    assert expected in said + out
    assert "the run goes on" in said + out
    assert "report: " in out


def test_nothing_else_breaks(call: Call) -> None:
    """Of one plugin, a component that is refused does not keep another from being used."""
    refused = "SamplerComponent('bad', dict, print, 'text', exact=True, proposal='none')"
    body = sampler("Draws(index, energy, weight)").replace("return [Sampler", f"return [{refused}, Sampler")
    code, out, said = call(body, "sampler.name=odd")
    assert code == 0
    assert "report: " in out
    assert "warning: not used: odd.py sha256:" in said
    assert "its settings 'dict' are no attrs class" in said


def test_check_names_the_plugin_as_well(call: Call) -> None:
    code, _, said = call(sampler("None"), "sampler.name=odd", command="check")
    assert code == 2
    assert "the sampler 'odd' of odd.py sha256:" in said
