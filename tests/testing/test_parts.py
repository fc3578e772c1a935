"""`jointtask check` holds the parts of a run file to their contracts, and names the part that breaks one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jointtask.api import PluginError
from jointtask.cli.scaffold import scaffold
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.check import check
from jointtask.testing import check_parts
from jointtask.tools import SilentProgress

PluginFile = Callable[..., str]
TRIAL = "jointtask.testing.trial"
HEAD = """
import torch
from jointtask.api import Augmented, Condition, Context, Draws, Metric, SamplerComponent, Summary
from jointtask.testing import trial

def component(name, build):
    return [Component(name, NoSettings, build, "a faulty part")]
"""


def subclass(base: str, body: str) -> str:
    """Return a part that is one of the trial pair's, with methods of its own."""
    hook, arguments = ("bridges", "trial.IntervalSettings()") if base == "Interval" else ("tasks", "")
    return f"""
class Odd(trial.{base}):
{body}

@hookimpl
def jointtask_{hook}():
    return component("odd", lambda settings, context: Odd({arguments}))
"""


def sampler(body: str) -> str:
    return f"""
def sample(target, random):
{body}
    return Draws(index, target.energy(index), torch.zeros(index.shape).double())

@hookimpl
def jointtask_samplers():
    build = lambda settings, context: sample
    return [SamplerComponent("odd", NoSettings, build, "faulty", exact=False, proposal="all")]
"""


CASES = {
    "a task that writes into its batch": (
        subclass(
            "Find",
            """
    def forward(self, batch):
        batch["values"].clamp_(max=1)
        return super().forward(batch)
""",
        ),
        "upstream.name=odd",
        r"the upstream task 'odd' of odd.py sha256:\w+: what the task was given was changed in place; expected",
    ),
    "a task that reads the annotation": (
        subclass(
            "Find",
            """
    def forward(self, batch):
        return super().forward(batch) + batch["label"].sum()
""",
        ),
        "upstream.name=odd",
        r"the upstream task 'odd' of .*: its forward pass without the annotation raised an error",
    ),
    "an energy that is a mean over the batch": (
        subclass(
            "Mark",
            """
    def energy(self, prediction, target):
        return super().energy(prediction, target).mean().expand(len(prediction))
""",
        ),
        "downstream.name=odd",
        r"the downstream task 'odd' of .*: an example's energy depends on the others",
    ),
    "a task that fails in training mode": (
        subclass(
            "Mark",
            """
    def forward(self, inputs):
        if self.training:
            raise IndexError("my own bug")
        return super().forward(inputs)
""",
        ),
        "downstream.name=odd",
        r"the downstream task 'odd' of .*: in training mode, the task raised IndexError: my own bug",
    ),
    "unusable base references": (
        subclass(
            "Interval",
            """
    def base(self, batch):
        return super().base(batch).flip(1)
""",
        ),
        "bridge.name=odd",
        r"the bridge 'odd' of .*: a base reference is not usable",
    ),
    "base references that are not finite": (
        subclass(
            "Interval",
            """
    def base(self, batch):
        return super().base(batch) * torch.nan
""",
        ),
        "bridge.name=odd",
        r"the bridge 'odd' of .*: the base reference of the examples \[0, 1, 2, 3\] is not finite",
    ),
    "an augmentation that is a pair": (
        subclass(
            "Interval",
            """
    def augment(self, batch, reference, random):
        return batch, reference
""",
        ),
        "bridge.name=odd",
        r"the bridge 'odd' of .*: augment gives a tuple; expected an Augmented",
    ),
    "log odds in place of probabilities": (
        subclass(
            "Interval",
            """
    def restore(self, prediction, reference):
        return 9 * super().restore(prediction, reference) - 4
""",
        ),
        "bridge.name=odd",
        r"the bridge 'odd' of .*: restore leaves \[0, 1\]",
    ),
    "a sampler that changes the target": (
        sampler("""
    target.log_proposal.fill_(-1)
    index = target.start[:, None]
"""),
        "sampler.name=odd",
        r"the sampler 'odd' of .* sha256:\w+ changed log_proposal in place",
    ),
    "a sampler that draws unusable states": (
        sampler("""
    index = (random.uniform(200) * len(target.grid)).long()
"""),
        "sampler.name=odd",
        r"the sampler 'odd' of .* sha256:\w+ drew \d+ of \d+ states of energy \+inf",
    ),
    "a summary that is no number": (
        """
@hookimpl
def jointtask_metrics():
    summary = Summary("all of them", "higher", lambda scores: scores)
    return component("odd", lambda settings, context: Metric(trial.accuracy, {"x": summary}))
""",
        "evaluate.metrics=['odd']",
        r"the metric 'odd' of .* gave for the summary 'x' a ndarray of shape \(\d+,\); expected a number",
    ),
    "a term that never proposes the start": (
        """
class Odd:
    version, prepares = "1", False

    def prepare(self, example):
        return None

    def log_weight(self, batch, reference, history):
        start = torch.arange(reference.shape[1]) == reference.shape[1] // 2
        return torch.zeros(reference.shape[:2]).masked_fill(start, -torch.inf)

@hookimpl
def jointtask_proposal_terms():
    return component("odd", lambda settings, context: Odd())
""",
        "proposal=[{name = 'odd'}]",
        r"the proposal term 'odd' of .*: log_weight is -inf at no adjustment",
    ),
}


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    return tmp_path / scaffold("run", "first", tmp_path, load_registry()).files[0]


@pytest.mark.parametrize("case", CASES)
def test_a_part_that_breaks_its_contract_is_named(
    case: str, run_file: Path, plugin_file: PluginFile, core_alone: None
) -> None:
    body, setting, message = CASES[case]
    registry = load_registry([TRIAL, plugin_file(HEAD + body)])
    with pytest.raises(PluginError, match=message) as caught:
        check(load(run_file, [setting], registry), registry, SilentProgress(), check_parts)
    assert caught.value.remedy


def test_right_parts_pass_and_are_left_as_they_were(run_file: Path, core_alone: None) -> None:
    registry = load_registry([TRIAL])
    runfile = load(run_file, ["data.train.examples=1"], registry)
    assert check(runfile, registry, SilentProgress(), check_parts)  # too few examples to tell rows apart
    assert check(load(run_file, [], registry), registry, SilentProgress(), check_parts)
