"""Takes two examples through both tasks and the bridge before training, and names the part that breaks its contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from jointtask.api.dataset import Dataset
from jointtask.api.errors import PluginError, UserError
from jointtask.api.task import Batch, SurrogateTask
from jointtask.api.tree import leaves
from jointtask.em.pair import Pair
from jointtask.registry.attribution import remedy
from jointtask.registry.sources import reason
from jointtask.runfile.schema import RunFile

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["require_conforming"]

STATES = 2


def require_conforming(runfile: RunFile, registry: Registry, pair: Pair, train: Dataset) -> None:
    """Require shapes and devices of everything that the engine asks two examples of, at no adjustment.

    Raises
    ------
    PluginError
        Naming the component, its plugin, what it gave and what was expected.
    """
    dataset, bridge, upstream, downstream = (
        _Part(registry, kind, title, name, pair.device)
        for kind, title, name in (
            ("dataset", "data set", runfile.data.train.name),
            ("bridge", "bridge", runfile.bridge.name),
            ("task", "upstream task", runfile.upstream.name),
            ("task", "downstream task", runfile.downstream.name),
        )
    )
    batch = _batch(dataset, bridge, pair, train)
    size, dimensions = len(next(iter(batch.values()))), pair.bridge.grid.dimensions
    rows = size * STATES
    with torch.inference_mode():
        base = bridge.tensor("base", (size, dimensions), pair.bridge.base, batch)
        bridge.tensor("usable", (size,), pair.bridge.usable, base)
        states = pair.bridge.grid.states[[pair.bridge.grid.start] * STATES].to(base)
        reference = bridge.tensor("reference", (size, STATES, dimensions), pair.bridge.reference, base, states)
        bridge.tensor("admit", tuple(base.shape), pair.bridge.admit, base)
        condition = bridge.call("condition", pair.bridge.condition, batch, reference)
        bridge.rows("the input of condition", condition.input, rows)
        if condition.target is None:
            raise bridge.fault("condition gave no target for an annotated batch", "one")
        bridge.rows("the target of condition", condition.target, rows)
        solved = downstream.call("its forward pass", pair.predict_downstream, condition.input)
        downstream.tensor("energy", (rows,), pair.downstream_energy, solved, condition.target)
        if isinstance(pair.downstream, SurrogateTask):
            downstream.tensor("training_loss", (rows,), pair.downstream_loss, solved, condition.target)
        restored = bridge.call("restore", pair.bridge.restore, solved, reference)
        bridge.shape("restore", restored, (size, STATES), prefix=True)
        annotation = pair.bridge.annotation
        upstream.unannotated("its forward pass", pair.predict_upstream, batch, annotation)
        if bridge.unannotated("condition", pair.bridge.condition, batch, annotation, reference).target is not None:
            raise bridge.fault("condition gave a target for a batch without its annotation", "None")
        predicted = upstream.call("its forward pass", pair.predict_upstream, batch)
        energy = upstream.call("energy", pair.upstream.energy, predicted, base)
        upstream.shape("energy", energy, (size,))
        if isinstance(pair.upstream, SurrogateTask):
            upstream.tensor("training_loss", (size,), pair.upstream.training_loss, predicted, base)
        if not hasattr(pair.upstream, "reference"):
            raise upstream.fault("has no method reference", "one: an upstream task predicts a reference")
        upstream.tensor("reference", (size, dimensions), pair.upstream.reference, predicted)


def _batch(dataset: _Part, bridge: _Part, pair: Pair, train: Dataset) -> dict[str, Tensor]:
    """Return two examples on the pair's device."""
    size = min(2, len(train))
    batch = dataset.call("batch", train.batch, list(range(size)))
    missing = [key for key in pair.bridge.keys if key not in batch]
    if missing:
        raise PluginError(
            f"{dataset.what} gives no {', '.join(missing)}, which {bridge.what} needs",
            cause=f"it gives {', '.join(batch)}: it is not annotated, or belongs to another pair of tasks",
            remedy="see [data.train] in the run file",
        )
    for name, tensor in batch.items():
        if not isinstance(tensor, Tensor) or tensor.shape[:1] != (size,):
            gave = f"of shape {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else f"as a {type(tensor).__name__}"
            raise dataset.fault(f"gave '{name}' {gave} for {size} examples", f"a tensor ({size}, ...)")
    example = dataset.call("example", train.example, 0)
    if getattr(example, "id", None) != train.ids[0]:
        raise dataset.fault(
            f"example(0) has the id {getattr(example, 'id', None)!r}", f"that of ids[0], {train.ids[0]!r}"
        )
    return {name: tensor.to(pair.device) for name, tensor in batch.items()}


class _Part:
    """One component under trial."""

    def __init__(self, registry: Registry, kind: str, title: str, name: str, device: torch.device) -> None:
        self.source = registry.source(kind, name)
        self.what = f"the {title} '{name}' of {self.source}"
        self.device = device

    def fault(self, observed: str, expected: str) -> PluginError:
        return PluginError(
            f"{self.what}: {observed}; expected {expected}",
            remedy="jointtask.testing checks the parts of a plugin one by one",
        )

    def call(self, method: str, function: Callable[..., Any], *arguments: Any) -> Any:
        with self._attributed(method):
            return function(*arguments)

    def unannotated(
        self, method: str, function: Callable[..., Any], batch: Batch, keys: Sequence[str], *rest: Any
    ) -> Any:
        """Call a method that must not read the annotation with a batch that lacks its `keys`."""
        bare = {name: tensor for name, tensor in batch.items() if name not in keys}
        try:
            return self.call(f"{method} without the annotation", function, bare, *rest)
        except PluginError as error:
            cause = error.__cause__
            key = cause.args[0] if isinstance(cause, KeyError) and cause.args else None
            if not isinstance(key, str) or key in bare:
                raise
            if key in batch:
                observed, expected = f"{method} reads '{key}', which is an annotation", "it to do without"
            else:
                observed, expected = f"{method} reads '{key}' of the batch", f"one of {', '.join(batch)}"
            raise self.fault(observed, expected) from error

    def tensor(self, method: str, shape: tuple[int, ...], function: Callable[..., Any], *arguments: Any) -> Tensor:
        value = self.call(method, function, *arguments)
        self.shape(method, value, shape)
        return value  # type: ignore[no-any-return]  # `shape` has seen that it is a tensor

    def shape(self, method: str, value: Any, shape: tuple[int, ...], *, prefix: bool = False) -> None:
        """Require a tensor of a shape, or of one that begins with it, on the device."""
        if not isinstance(value, Tensor):
            raise self.fault(f"{method} gave a {type(value).__name__}", "a tensor")
        if (tuple(value.shape[: len(shape)]) if prefix else tuple(value.shape)) != shape:
            expected = f"({', '.join(map(str, shape))}, ...)" if prefix else str(shape)
            raise self.fault(f"{method} gave the shape {tuple(value.shape)}", expected)
        self._require_device(method, value)

    def rows(self, what: str, tree: Any, count: int) -> None:
        """Require tensors with one row a problem, on the device."""
        with self._attributed(what):
            tensors = leaves(tree)
        for tensor in tensors:
            if len(tensor) != count:
                raise self.fault(f"{what} has {len(tensor)} rows", f"B * K, {count}")
            self._require_device(what, tensor)

    def _require_device(self, what: str, tensor: Tensor) -> None:
        if tensor.device.type != self.device.type:
            raise self.fault(f"{what} gave a tensor on {tensor.device}", f"the batch's device, {self.device}")

    @contextmanager
    def _attributed(self, method: str) -> Iterator[None]:
        try:
            yield
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise PluginError(
                f"{self.what}: {method} raised an error",
                cause=reason(error, self.source),
                remedy=remedy(error, self.source),
            ) from error
