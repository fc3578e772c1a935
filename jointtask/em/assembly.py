"""Everything that a run file names, built: the input of the EM loop."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from jointtask.api.component import Context
from jointtask.api.dataset import Dataset
from jointtask.api.metric import Metric
from jointtask.api.randomness import derive
from jointtask.em.estep import EStep
from jointtask.em.observers import Observers
from jointtask.em.pair import Pair
from jointtask.em.part import Parts
from jointtask.em.processes import ALONE, World
from jointtask.registry.registry import Registry
from jointtask.runfile.schema import RunFile

__all__ = ["Assembly", "chosen"]


@frozen(eq=False)
class Assembly:
    """Everything that a run file names, built.

    Attributes
    ----------
    runfile : RunFile
        The resolved run file.
    registry : Registry
        The components that it was built from.
    context : Context
        The context that they were built in.
    train, validation, test : Dataset
        The data sets; validation and test may be None.
    pair : Pair
        The networks and their bridge.
    estep : EStep
        The sampler, and the proposal terms that it uses.
    metrics : mapping of str to Metric
        Metrics by component name, the leading one first.
    predictors : mapping of str to callable
        Functions ``predict(example)`` by component name.
    observers : Observers
        The observers; none but in the leader.
    world : World
        The processes that share the run.
    """

    runfile: RunFile
    registry: Registry
    context: Context
    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    pair: Pair
    estep: EStep
    metrics: Mapping[str, Metric]
    predictors: Mapping[str, Any]
    observers: Observers = field(factory=Observers)
    world: World = ALONE

    @property
    def data(self) -> dict[str, Dataset]:
        """The data sets that the run file names, by table."""
        sets = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: data for name, data in sets.items() if data is not None}

    @property
    def parts(self) -> Parts:
        """How the rounds divide the training data."""
        return Parts(self.runfile.em.part, len(self.train), self.runfile.run.seed, getattr(self.train, "starts", None))


def chosen(ids: Iterable[str], count: int) -> list[str]:
    """Choose examples by a hash of their ids: the same in every run over the same data."""
    return heapq.nsmallest(count, ids, key=lambda name: derive("chosen", name))
