"""What a built component must be, by kind: checked where it is built and used, and named with its plugin."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from attrs import frozen
from torch import Tensor, nn

from jointtask.api.bridge import Bridge
from jointtask.api.dataset import Dataset
from jointtask.api.errors import ConfigError
from jointtask.api.grid import LatentGrid
from jointtask.api.observer import Observer
from jointtask.api.proposal import History, ProposalTerm
from jointtask.api.task import Batch, Task
from jointtask.registry.contract_metric import checked_metric
from jointtask.registry.contract_sampler import CheckedSampler
from jointtask.registry.fault import fault
from jointtask.registry.members import missing_members
from jointtask.registry.unchanged import Unchanged
from jointtask.tools.text import listing

__all__ = ["CONTRACTS"]


def _require(built: Any, what: str, protocol: type) -> None:
    """Raise unless a built object has all members of a protocol."""
    if missing := missing_members(built, protocol):
        gave = f"was built as {type(built).__name__}, without {', '.join(member.name for member in missing)}"
        contract = f"{protocol.__module__}.{protocol.__name__}"
        raise fault(what, gave, "; ".join(member.meaning for member in missing), contract)


def _task(built: Any, what: str) -> Any:
    if not isinstance(built, nn.Module):
        raise fault(what, f"was built as {type(built).__name__}", "a torch.nn.Module", "jointtask.api.task.Task")
    _require(built, what, Task)
    return built


def _bridge(built: Any, what: str) -> Any:
    _require(built, what, Bridge)
    if not isinstance(built.grid, LatentGrid):
        gave = f"has a grid that is a {type(built.grid).__name__}"
        raise fault(what, gave, "a LatentGrid", "jointtask.api.grid.LatentGrid")
    return built


def _sampler(built: Any, what: str) -> Any:
    return CheckedSampler(
        _callable(built, what, "a function sample(target, random)", "jointtask.api.sampler.Sampler"), what
    )


@frozen(eq=False)
class _Term:
    """A proposal term whose log weights are checked before they are used."""

    term: ProposalTerm
    what: str

    @property
    def version(self) -> str:
        return self.term.version

    @property
    def prepares(self) -> bool:
        return self.term.prepares

    def prepare(self, example: Mapping[str, Tensor]) -> Any:
        return self.term.prepare(example)

    def log_weight(self, batch: Batch, reference: Tensor, history: History) -> Tensor:
        inputs = Unchanged(
            {**batch, "the reference": reference, "the history": history.mean, "its covariance": history.covariance}
        )
        weight = self.term.log_weight(batch, reference, history)
        inputs.require(f"{self.what}: log_weight")
        see, expected = "jointtask.api.proposal.ProposalTerm", tuple(reference.shape[:2])
        if not isinstance(weight, Tensor) or weight.shape != expected:
            shape = tuple(weight.shape) if isinstance(weight, Tensor) else type(weight).__name__
            raise fault(self.what, f"gave log weights of shape {shape}", f"(B, N), {expected}", see)
        if bool(torch.isnan(weight).any()) or bool((weight == torch.inf).any()):
            raise fault(self.what, "gave NaN or +inf among its log weights", "numbers, or -inf for never", see)
        if bool((weight == -torch.inf).all(dim=1).any()):
            raise fault(self.what, "gave -inf to every reference of an example", "a finite log weight at least", see)
        return weight


def _proposal(built: Any, what: str) -> Any:
    _require(built, what, ProposalTerm)
    return _Term(built, what)


def _dataset(built: Any, what: str) -> Any:
    see = "jointtask.api.dataset.Dataset"
    _require(built, what, Dataset)
    try:
        size = len(built)
    except Exception as error:
        expected = "the number of examples: data of unknown length cannot be used"
        raise fault(what, f"has a length that raises {type(error).__name__}: {error}", expected, see) from error
    if size == 0:
        raise fault(what, "has no examples", "one at least", see)
    for name in ("ids", "digests", *(["input_digests"] if hasattr(built, "input_digests") else [])):
        if len(getattr(built, name)) != size:
            gave = f"has {len(getattr(built, name))} {name} and {size} examples"
            raise fault(what, gave, "one for each", see)
    if _repeat(built.ids):
        twice = [str(name) for name, count in Counter(built.ids).items() if count > 1]
        raise fault(what, f"has one id for several examples: {listing(twice)}", "distinct ids", see)
    return built


def _repeat(ids: Any) -> bool:
    """Say whether an id comes twice; not by a set of them, which would hold all."""
    if getattr(ids, "distinct", False):
        return False
    hashes = np.fromiter(map(hash, ids), dtype=np.int64, count=len(ids))
    hashes.sort()
    return bool((hashes[1:] == hashes[:-1]).any()) and len(set(ids)) < len(ids)


def _callable(built: Any, what: str, expected: str, module: str) -> Any:
    if not callable(built):
        raise fault(what, f"was built as {type(built).__name__}, which cannot be called", expected, module)
    return built


def _optimizer(built: Any, what: str) -> Any:
    see = "jointtask.api.optimizer.OptimizerFactory"
    factory = _callable(built, what, "a function make(groups)", see)

    def make(groups: Any) -> torch.optim.Optimizer:
        try:
            optimizer = factory(groups)
        except (ValueError, TypeError) as error:  # what torch raises for a setting out of its range
            raise ConfigError(f"{what} refuses its settings or parameters", cause=str(error)) from error
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise fault(what, f"made a {type(optimizer).__name__}", "a torch.optim.Optimizer", see)
        return optimizer

    return make


def _schedule(built: Any, what: str) -> Any:
    see = "jointtask.api.optimizer.Schedule"
    schedule = _callable(built, what, "a function factor(step, steps, steps_per_epoch)", see)

    def factor(step: int, steps: int, steps_per_epoch: int) -> float:
        value = schedule(step, steps, steps_per_epoch)
        if not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise fault(what, f"gave the factor {value!r} at step {step}", "a finite number of at least 0", see)
        return float(value)

    return factor


def _observer(built: Any, what: str) -> Any:
    if not isinstance(built, Observer):
        expected = "a subclass of Observer"
        raise fault(what, f"was built as {type(built).__name__}", expected, "jointtask.api.observer.Observer")
    return built


CONTRACTS: Mapping[str, Callable[[Any, str], Any]] = {
    "task": _task,
    "bridge": _bridge,
    "sampler": _sampler,
    "proposal": _proposal,
    "dataset": _dataset,
    "metric": checked_metric,
    "panel": lambda built, what: _callable(built, what, "a function draw(data)", "jointtask.api.panel.Draw"),
    "predictor": lambda built, what: _callable(built, what, "a function predict(example)", "docs/plugins.md"),
    "optimizer": _optimizer,
    "schedule": _schedule,
    "observer": _observer,
}
"""By kind of component: takes what was built and what to call it, and returns what is used of it."""
