"""Batches on the device, with what the proposal terms prepared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from attrs import asdict, frozen
from numpy.typing import NDArray
from torch import Tensor

from jointtask.api.component import Context
from jointtask.api.dataset import Dataset
from jointtask.api.errors import PluginError
from jointtask.api.proposal import ProposalTerm
from jointtask.api.task import Batch
from jointtask.api.tree import select_rows
from jointtask.runfile.schema import RunFile
from jointtask.tools.cache import CachedArrays, cached_arrays
from jointtask.tools.columns import LazySequence
from jointtask.tools.text import listing

__all__ = ["ExampleBatch", "Examples"]


@frozen(eq=False)
class ExampleBatch:
    """B examples of a data set.

    Attributes
    ----------
    positions : Tensor, (B,), int64
        Positions of the examples in the data set.
    ids : sequence of B str
        Ids of the examples.
    tensors : Batch
        Tensors that the data set gives of the examples, on the device, unaugmented.
    share : float
        Number of these examples over that of the batch that all processes train on together, in [0, 1].
    """

    positions: Tensor
    ids: Sequence[str]
    tensors: Batch
    share: float = 1.0

    def split(self, size: int) -> Iterator[tuple[ExampleBatch, slice]]:
        """Yield parts of at most `size` examples, each with its rows; the batch itself if it is no larger."""
        examples = len(self.ids)
        if examples <= size:
            yield self, slice(None)
            return
        for start in range(0, examples, size):
            rows = slice(start, min(start + size, examples))
            share = self.share * (rows.stop - rows.start) / examples
            yield ExampleBatch(self.positions[rows], self.ids[rows], select_rows(self.tensors, rows), share), rows


class Examples:
    """A data set with what proposal terms prepared of it.

    Parameters
    ----------
    dataset : Dataset
        The examples.
    terms : mapping of str to ProposalTerm
        The proposal terms by name. What they prepare is cached by example content, term version and settings.
    runfile : RunFile
        The run file, for the settings of the terms.
    context : Context
        The device, the cache folder and the number of workers, and the bridge, whose keys each batch must have.
    name : str
        Name of the data set in errors.
    """

    def __init__(
        self,
        dataset: Dataset,
        terms: Mapping[str, ProposalTerm],
        runfile: RunFile,
        context: Context,
        name: str = "the data set",
    ) -> None:
        self.dataset = dataset
        self._name = name
        self._keys = () if context.bridge is None else context.bridge.keys
        self._device = context.device
        settings = {table.name: table.settings for table in runfile.proposal}
        self._prepared: dict[str, CachedArrays] = {}
        for name, term in terms.items():
            if term.prepares:
                tag = f"{term.version} {sorted(asdict(settings[name]).items())}"
                self._prepared[name] = cached_arrays(
                    context.cache / "proposals" / name,
                    LazySequence(dataset.digests, partial(_key, tag)),
                    partial(self._prepare, term),
                    workers=context.workers,
                    progress=context.progress,
                    label=f"preparing '{name}'",
                )

    def __len__(self) -> int:
        return len(self.dataset)

    def batch(self, positions: Sequence[int], *, prepared: bool = False, share: float = 1.0) -> ExampleBatch:
        """Return the examples at `positions`, with what the proposal terms prepared if asked for."""
        tensors = self.dataset.batch(positions)
        if missing := [key for key in self._keys if key not in tensors]:
            ids = listing([self.dataset.ids[position] for position in positions], 10)
            raise PluginError(
                f"{self._name} gives no {', '.join(missing)} in the batch of {ids};"
                f" expected {', '.join(self._keys)} in each",
                cause="the bridge needs them of every example",
                remedy="jointtask.testing.check_dataset reads batches from the whole data set",
            )
        if prepared:
            tensors |= {name: torch.from_numpy(rows.batch(positions)["value"]) for name, rows in self._prepared.items()}
        return ExampleBatch(
            positions=torch.tensor(positions),
            ids=[self.dataset.ids[position] for position in positions],
            tensors={name: tensor.to(self._device) for name, tensor in tensors.items()},
            share=share,
        )

    def _prepare(self, term: ProposalTerm, row: int) -> dict[str, NDArray[np.generic]]:
        example = {name: tensor[0] for name, tensor in self.dataset.batch([row]).items()}
        return {"value": np.asarray(term.prepare(example))}


def _key(tag: str, digest: str) -> str:
    return f"{digest} {tag}"
