"""Writes plugins whose parts are those of the trial pair, with a fault."""

from __future__ import annotations

__all__ = ["HEAD", "sampler", "subclass"]

HEAD = """
import torch
from jointtask.api import Augmented, Condition, Context, Draws, Metric, SamplerComponent, Summary
from jointtask.testing import trial

def component(name, build):
    return [Component(name, NoSettings, build, "a faulty part")]
"""

_SETTINGS = {"Interval": "trial.IntervalSettings()", "Sequences": "trial.SequencesSettings()"}
_HOOKS = {"Interval": "bridges", "Sequences": "datasets"}


def subclass(base: str, body: str) -> str:
    """Return a part that is one of the trial pair's, with methods of its own."""
    return f"""
class Odd(trial.{base}):
{body}

@hookimpl
def jointtask_{_HOOKS.get(base, "tasks")}():
    return component("odd", lambda settings, context: Odd({_SETTINGS.get(base, "")}))
"""


def sampler(body: str) -> str:
    """Return a sampler that draws the states that `body` calls index."""
    return f"""
def sample(target, random):
{body}
    return Draws(index, target.energy(index), torch.zeros(index.shape).double())

@hookimpl
def jointtask_samplers():
    build = lambda settings, context: sample
    return [SamplerComponent("odd", NoSettings, build, "faulty", exact=False, proposal="all")]
"""
