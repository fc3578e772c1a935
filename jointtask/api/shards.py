"""Data sets one after the other, as one."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import Any, TypeVar, overload

import torch
from torch import Tensor

from jointtask.api.dataset import Dataset

__all__ = ["ShardedDataset"]

T = TypeVar("T")


class ShardedDataset:
    """A `Dataset` of several, its shards: their examples one after the other; nothing of a shard is copied.

    Parameters
    ----------
    shards : sequence of Dataset
        The shards, with distinct ids over all of them. They are asked for an example, or for a batch, when one of
        theirs is needed, so that a shard may open its files then.

    Attributes
    ----------
    starts : sequence of int
        Position of the first example of each shard: the parts of `em.part` are whole shards.

    Raises
    ------
    ValueError
        If there is no shard.
    """

    def __init__(self, shards: Sequence[Dataset]) -> None:
        if not shards:
            raise ValueError("at least one shard is needed")
        self._shards = tuple(shards)
        self.ids = _Chain([shard.ids for shard in shards])
        self.digests = _Chain([shard.digests for shard in shards])
        inputs = [getattr(shard, "input_digests", None) for shard in shards]
        if all(digests is not None for digests in inputs):
            self.input_digests: Sequence[str] = _Chain([digests for digests in inputs if digests is not None])
        self.starts = self.ids.starts[:-1]
        self.notes = tuple(chain.from_iterable(shard.notes for shard in shards))
        self.fingerprint = hashlib.sha256("\n".join(shard.fingerprint for shard in shards).encode()).hexdigest()

    def __len__(self) -> int:
        """Return the number of examples of all shards."""
        return len(self.ids)

    def batch(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return the frames of B examples, B first, from whichever shards have them."""
        places = [self.ids.place(row) for row in index]
        rows_of: dict[int, list[int]] = {}
        for position, (shard, _) in enumerate(places):
            rows_of.setdefault(shard, []).append(position)
        batch: dict[str, Tensor] = {}
        for shard, positions in rows_of.items():
            frames = self._shards[shard].batch([places[position][1] for position in positions])
            if len(rows_of) == 1:
                return frames
            for name, values in frames.items():
                if name not in batch:
                    batch[name] = values.new_empty((len(places), *values.shape[1:]))
                batch[name][torch.tensor(positions)] = values
        return batch

    def example(self, index: int) -> Any:
        """Return one example at its own size."""
        shard, row = self.ids.place(index)
        return self._shards[shard].example(row)


class _Chain(Sequence[T]):
    """Sequences one after the other, as one."""

    def __init__(self, parts: Sequence[Sequence[T]]) -> None:
        self._parts = parts
        self.starts = tuple(accumulate(map(len, parts), initial=0))

    def place(self, index: int) -> tuple[int, int]:
        """Return the part that holds an item, and its row there."""
        row = range(len(self))[index]
        part = bisect_right(self.starts, row) - 1
        return part, row - self.starts[part]

    def __len__(self) -> int:
        return self.starts[-1]

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        part, row = self.place(index)
        return self._parts[part][row]

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._parts)
