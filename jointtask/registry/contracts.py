"""What a built component must be, by kind: checked where it is built and used, and named with its plugin."""

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

from jointtask.api.bridge import Bridge
from jointtask.api.dataset import Dataset
from jointtask.api.errors import ConfigError, PluginError
from jointtask.api.grid import LatentGrid
from jointtask.api.metric import Metric, Summary
from jointtask.api.observer import Observer
from jointtask.api.proposal import History, ProposalTerm
from jointtask.api.randomness import Streams
from jointtask.api.sampler import Draws, Sampler, Target
from jointtask.api.task import Batch, Task
from jointtask.registry.members import missing_members
from jointtask.registry.unchanged import Unchanged
from jointtask.tools.text import listing

__all__ = ["CONTRACTS", "check_draws", "distinct_summaries"]


def _fault(what: str, gave: str, expected: str, contract: str) -> PluginError:
    return PluginError(f"{what} {gave}; expected {expected}", remedy=f"see {contract} for the contract")


def _require(built: Any, what: str, protocol: type) -> None:
    """Raise unless a built object has all members of a protocol."""
    if missing := missing_members(built, protocol):
        gave = f"was built as {type(built).__name__}, without {', '.join(member.name for member in missing)}"
        contract = f"{protocol.__module__}.{protocol.__name__}"
        raise _fault(what, gave, "; ".join(member.meaning for member in missing), contract)


def _task(built: Any, what: str) -> Any:
    if not isinstance(built, nn.Module):
        raise _fault(what, f"was built as {type(built).__name__}", "a torch.nn.Module", "jointtask.api.task.Task")
    _require(built, what, Task)
    return built


def _bridge(built: Any, what: str) -> Any:
    _require(built, what, Bridge)
    if not isinstance(built.grid, LatentGrid):
        gave = f"has a grid that is a {type(built.grid).__name__}"
        raise _fault(what, gave, "a LatentGrid", "jointtask.api.grid.LatentGrid")
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
            raise _fault(self.what, f"gave log weights of shape {shape}", f"(B, N), {expected}", see)
        if bool(torch.isnan(weight).any()) or bool((weight == torch.inf).any()):
            raise _fault(self.what, "gave NaN or +inf among its log weights", "numbers, or -inf for never", see)
        if bool((weight == -torch.inf).all(dim=1).any()):
            raise _fault(self.what, "gave -inf to every reference of an example", "a finite log weight at least", see)
        return weight


def _proposal(built: Any, what: str) -> Any:
    _require(built, what, ProposalTerm)
    return _Term(built, what)


def _dataset(built: Any, what: str) -> Any:
    see = "jointtask.api.dataset.Dataset"
    _require(built, what, Dataset)
    if len(built) == 0:
        raise _fault(what, "has no examples", "one at least", see)
    for name in ("ids", "digests", *(["input_digests"] if hasattr(built, "input_digests") else [])):
        if len(getattr(built, name)) != len(built):
            gave = f"has {len(getattr(built, name))} {name} and {len(built)} examples"
            raise _fault(what, gave, "one for each", see)
    if len(set(built.ids)) < len(built):
        twice = [str(name) for name, count in Counter(built.ids).items() if count > 1]
        raise _fault(what, f"has one id for several examples: {listing(twice)}", "distinct ids", see)
    return built


def _metric(built: Any, what: str) -> Any:
    see = "jointtask.api.metric.Metric"
    if not isinstance(built, Metric):
        raise _fault(what, f"was built as {type(built).__name__}", "a Metric", see)
    wrong = [name for name, summary in built.summaries.items() if not isinstance(summary, Summary)]
    if wrong or not built.summaries:
        raise _fault(what, f"reports {', '.join(wrong) or 'nothing'}", "a Summary for each name, one at least", see)
    for name, summary in built.summaries.items():
        if summary.better not in ("higher", "lower"):
            raise _fault(what, f"reports '{name}' with better = {summary.better!r}", "'higher' or 'lower'", see)
    shapes: set[tuple[int, ...]] = set()

    def score(prediction: Any, example: Any) -> Any:
        value = built.score(prediction, example)
        try:
            if value is None or isinstance(value, str):
                raise TypeError
            shape = np.asarray(value, dtype=np.float64).shape
        except (TypeError, ValueError) as error:
            gave = f"gave a score that is a {type(value).__name__}"
            raise _fault(what, gave, "a float or a float64 array", see) from error
        shapes.add(shape)
        if len(shapes) > 1:
            gave = f"gave scores of the shapes {', '.join(map(str, sorted(shapes)))}"
            raise _fault(what, gave, "one fixed shape", see)
        return value

    summaries = {name: attrs.evolve(each, reduce=_reduce(name, each, what)) for name, each in built.summaries.items()}
    return attrs.evolve(built, score=score, summaries=summaries)


def _reduce(name: str, summary: Summary, what: str) -> Callable[[Any], float]:
    """Return the function of a summary, whose result is checked."""

    def reduce(scores: Any) -> float:
        value: Any = summary.reduce(scores)
        if np.ndim(value) != 0 or not isinstance(value, int | float | np.number):
            shape = f" of shape {np.shape(value)}" if np.ndim(value) else ""
            gave = f"gave for the summary '{name}' a {type(value).__name__}{shape}"
            raise _fault(what, gave, "a number", "jointtask.api.metric.Summary")
        return float(value)

    return reduce


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
        Value that the sampler returned.
    examples, states : int
        Number of examples, B, and of states, N.
    what : str
        Name of the sampler in errors.

    Raises
    ------
    PluginError
        Naming the sampler, what it returned and what was expected.
    """

    def fault(gave: str) -> PluginError:
        return PluginError(f"{what} {gave}", remedy="see jointtask.api.sampler.Draws for the contract")

    if not isinstance(draws, Draws):
        raise fault(f"returned {type(draws).__name__}, not Draws")
    for name in ("index", "energy", "log_weight", "accepted"):
        value = getattr(draws, name)
        if not isinstance(value, Tensor) and not (name == "accepted" and value is None):
            kind = type(value)
            raise fault(f"returned '{name}' as {kind.__module__}.{kind.__qualname__}; expected a tensor")
    shape = draws.index.shape
    if len(shape) != 2 or shape[0] != examples or shape[1] < 1:
        raise fault(f"returned an index of shape {tuple(shape)}; expected ({examples}, K) with K of at least 1")
    if draws.index.dtype != torch.int64:
        raise fault(f"returned an index of {draws.index.dtype}; expected torch.int64")
    for name in ("energy", "log_weight", "accepted"):
        value = getattr(draws, name)
        if value is not None and value.shape != shape:
            raise fault(f"returned '{name}' of shape {tuple(value.shape)}; expected {tuple(shape)}, as the index")
    if bool(((draws.index < 0) | (draws.index >= states)).any()):
        raise fault(f"returned a state off the grid; expected 0 to {states - 1}")
    if bool(torch.isnan(draws.energy).any()) or bool(torch.isnan(draws.log_weight).any()):
        raise fault("returned NaN among energies or weights")
    if bool((draws.log_weight == -torch.inf).all(dim=1).any()) or bool((draws.log_weight == torch.inf).any()):
        raise fault("returned log weights of which none can be normalised; expected a finite one for each example")


def distinct_summaries(metrics: Mapping[str, Metric]) -> None:
    """Raise a `ConfigError` if two metrics report a summary of one name, which results could not tell apart."""
    owners: dict[str, str] = {}
    for metric, built in metrics.items():
        for name in built.summaries:
            if (other := owners.setdefault(name, metric)) != metric:
                raise ConfigError(
                    f"the metrics '{other}' and '{metric}' both report '{name}'",
                    cause="scores are stored by the names of their summaries",
                    remedy="name one of the two, or give the summary another name in its plugin",
                )


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
