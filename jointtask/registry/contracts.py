"""What a built component must be, by kind: found out where it is built, and named with its plugin."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np
import torch
from attrs import frozen
from torch import Tensor, nn

from jointtask.api.errors import ConfigError, PluginError
from jointtask.api.grid import LatentGrid
from jointtask.api.metric import Metric, Summary
from jointtask.api.observer import Observer
from jointtask.api.proposal import History, ProposalTerm
from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Sampler, Target
from jointtask.api.task import Batch
from jointtask.registry.unchanged import Unchanged
from jointtask.tools.text import listing

__all__ = ["CONTRACTS", "check_draws"]

_BRIDGE = ("grid", "coordinates", "units", "keys", "annotation")
_BRIDGE_METHODS = ("base", "reference", "usable", "admit", "condition", "restore", "finish", "augment")


def _fault(what: str, found: str, expected: str, module: str) -> PluginError:
    return PluginError(f"{what} {found}; expected {expected}", remedy=f"see {module} for the contract")


def _parts(built: Any, what: str, names: tuple[str, ...], expected: str, module: str) -> None:
    missing = [name for name in names if not hasattr(built, name)]
    if missing:
        found = f"was built as {type(built).__name__}, without {', '.join(missing)}"
        raise _fault(what, found, expected, module)


def _task(built: Any, what: str) -> Any:
    if not isinstance(built, nn.Module):
        raise _fault(what, f"was built as {type(built).__name__}", "a torch.nn.Module", "jointtask.api.task.Task")
    _parts(built, what, ("energy", "parameter_groups"), "both", "jointtask.api.task.Task")
    return built


def _bridge(built: Any, what: str) -> Any:
    _parts(built, what, (*_BRIDGE, *_BRIDGE_METHODS), "all of them", "jointtask.api.bridge.Bridge")
    if not isinstance(built.grid, LatentGrid):
        found = f"has a grid that is a {type(built.grid).__name__}"
        raise _fault(what, found, "a LatentGrid", "jointtask.api.grid.LatentGrid")
    return built


@frozen(eq=False)
class _Sampler:
    """A sampler whose draws are checked before they are used."""

    sample: Sampler
    what: str

    def __call__(self, target: Target, random: Streams) -> Draws:
        inputs = Unchanged(
            {"the start": target.start, "log_proposal": target.log_proposal, "the grid": target.grid.states}
        )
        draws = self.sample(target, random)
        inputs.require(self.what)
        check_draws(draws, len(target.start), len(target.grid), self.what)
        self._check_energies(draws, target.energy(draws.index))
        return draws

    def _check_energies(self, draws: Draws, energy: Tensor) -> None:
        see = "jointtask.api.sampler.Draws"
        wrong = ~torch.isclose(draws.energy.to(energy), energy, rtol=1e-5, atol=1e-8)
        if bool(wrong.any()):
            row, column = (int(value) for value in wrong.nonzero()[0])
            found = f"gave {int(wrong.sum())} of {wrong.numel()} energies that are not those of their states"
            example = f"{float(draws.energy[row, column]):g} for a state of energy {float(energy[row, column]):g}"
            raise _fault(self.what, f"{found}: {example}", "target.energy(index)", see)
        forbidden = torch.isinf(energy) & (draws.log_weight > -torch.inf)
        if bool(forbidden.any()):
            found = f"drew {int(forbidden.sum())} of {forbidden.numel()} states of energy +inf, which are not usable"
            raise _fault(self.what, found, "states of finite energy, or a log weight of -inf", see)
        if bool((draws.log_weight == -torch.inf).all(dim=1).any()):
            raise _fault(self.what, "gave an example a log weight of -inf for all its draws", "one that is finite", see)


def _sampler(built: Any, what: str) -> Any:
    return _Sampler(_callable(built, what, "a function sample(target, random)", "jointtask.api.sampler.Sampler"), what)


@frozen(eq=False)
class _Term:
    """A proposal term whose weights are looked at before they are used."""

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
            raise _fault(self.what, f"gave log weights of shape {shape}", f"(B, N), {expected}", see)
        if bool(torch.isnan(weight).any()) or bool((weight == torch.inf).any()):
            raise _fault(self.what, "gave NaN or +inf among its log weights", "numbers, or -inf for never", see)
        return weight


def _proposal(built: Any, what: str) -> Any:
    see = "jointtask.api.proposal.ProposalTerm"
    _parts(built, what, ("version", "prepares", "prepare", "log_weight"), "all of them", see)
    return _Term(built, what)


def _dataset(built: Any, what: str) -> Any:
    see = "jointtask.api.dataset.Dataset"
    names = ("ids", "digests", "fingerprint", "notes", "__len__", "batch", "example")
    _parts(built, what, names, "all of them", see)
    if len(built) == 0:
        raise _fault(what, "has no examples", "one at least", see)
    for part in ("ids", "digests", *(["input_digests"] if hasattr(built, "input_digests") else [])):
        if len(getattr(built, part)) != len(built):
            found = f"has {len(getattr(built, part))} {part} and {len(built)} examples"
            raise _fault(what, found, "one for each", see)
    if len(set(built.ids)) < len(built):
        twice = [str(name) for name, count in Counter(built.ids).items() if count > 1]
        raise _fault(what, f"has one id for several examples: {listing(twice)}", "distinct ids", see)
    return built


def _metric(built: Any, what: str) -> Any:
    see = "jointtask.api.metric.Metric"
    if not isinstance(built, Metric):
        raise _fault(what, f"was built as {type(built).__name__}", "a Metric", see)
    strange = [name for name, summary in built.summaries.items() if not isinstance(summary, Summary)]
    if strange or not built.summaries:
        raise _fault(what, f"reports {', '.join(strange) or 'nothing'}", "a Summary for each name, one at least", see)
    shapes: set[tuple[int, ...]] = set()

    def score(prediction: Any, example: Any) -> Any:
        value = built.score(prediction, example)
        try:
            shape = np.asarray(value, dtype=np.float64).shape
        except (TypeError, ValueError) as error:
            found = f"gave a score that is a {type(value).__name__}"
            raise _fault(what, found, "a float or a float64 array", see) from error
        shapes.add(shape)
        if len(shapes) > 1:
            found = f"gave scores of the shapes {', '.join(map(str, sorted(shapes)))}"
            raise _fault(what, found, "one fixed shape", see)
        return value

    return attrs.evolve(built, score=score)


def _callable(built: Any, what: str, expected: str, module: str) -> Any:
    if not callable(built):
        raise _fault(what, f"was built as {type(built).__name__}, which cannot be called", expected, module)
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
            raise _fault(what, f"made a {type(optimizer).__name__}", "a torch.optim.Optimizer", see)
        return optimizer

    return make


def _schedule(built: Any, what: str) -> Any:
    see = "jointtask.api.optimizer.Schedule"
    schedule = _callable(built, what, "a function factor(step, steps, steps_per_epoch)", see)

    def factor(step: int, steps: int, steps_per_epoch: int) -> float:
        value = schedule(step, steps, steps_per_epoch)
        if not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise _fault(what, f"gave the factor {value!r} at step {step}", "a finite number of at least 0", see)
        return float(value)

    return factor


def _observer(built: Any, what: str) -> Any:
    if not isinstance(built, Observer):
        expected = "a subclass of Observer"
        raise _fault(what, f"was built as {type(built).__name__}", expected, "jointtask.api.observer.Observer")
    return built


def check_draws(draws: Any, examples: int, states: int, what: str) -> None:
    """Raise if a sampler broke its contract.

    Parameters
    ----------
    draws : Any
        The sampler's return value.
    examples, states : int
        Number of examples, B, and of states, N.
    what : str
        The sampler's name in errors.

    Raises
    ------
    PluginError
        Naming the sampler, what it returned and what was expected.
    """

    def fault(found: str) -> PluginError:
        return PluginError(f"{what} {found}", remedy="see jointtask.api.sampler.Draws for the contract")

    if not isinstance(draws, Draws):
        raise fault(f"returned {type(draws).__name__}, not Draws")
    for part in ("index", "energy", "log_weight", "accepted"):
        value = getattr(draws, part)
        if not isinstance(value, Tensor) and not (part == "accepted" and value is None):
            kind = type(value)
            raise fault(f"returned '{part}' as {kind.__module__}.{kind.__qualname__}; expected a tensor")
    shape = draws.index.shape
    if len(shape) != 2 or shape[0] != examples or shape[1] < 1:
        raise fault(f"returned an index of shape {tuple(shape)}; expected ({examples}, K) with K of at least 1")
    if draws.index.dtype != torch.int64:
        raise fault(f"returned an index of {draws.index.dtype}; expected torch.int64")
    for part in ("energy", "log_weight", "accepted"):
        value = getattr(draws, part)
        if value is not None and value.shape != shape:
            raise fault(f"returned '{part}' of shape {tuple(value.shape)}; expected {tuple(shape)}, as the index")
    if bool(((draws.index < 0) | (draws.index >= states)).any()):
        raise fault(f"returned a state off the grid; expected 0 to {states - 1}")
    if bool(torch.isnan(draws.energy).any()) or bool(torch.isnan(draws.log_weight).any()):
        raise fault("returned NaN among energies or weights")


CONTRACTS: Mapping[str, Callable[[Any, str], Any]] = {
    "task": _task,
    "bridge": _bridge,
    "sampler": _sampler,
    "proposal": _proposal,
    "dataset": _dataset,
    "metric": _metric,
    "panel": lambda built, what: _callable(built, what, "a function draw(data)", "jointtask.api.panel.Draw"),
    "predictor": lambda built, what: _callable(built, what, "a function predict(example)", "docs/plugins.md"),
    "optimizer": _optimizer,
    "schedule": _schedule,
    "observer": _observer,
}
"""By kind of component: takes what was built and what to call it, and returns what is used of it."""
