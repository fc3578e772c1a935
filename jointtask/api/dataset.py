"""What a data set is to the engine, and one that is held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from jointtask.api.names import name_bytes

__all__ = ["Dataset", "MemoryDataset"]


class Dataset(Protocol):
    """Examples by position, twice: as frames of one size for the networks, and at their own size for scoring.

    Attributes
    ----------
    ids : sequence of str
        Distinct names of the examples; random streams and latents depend on them.
    digests : sequence of str
        Hexadecimal digest of the content of each example; keys of caches depend on them.
    fingerprint : str
        Hexadecimal digest of the content of the whole data set, annotations included.
    notes : sequence of str
        Lines for ``check`` and the report: what was decided while reading, and what is odd.

    A data set may also have `input_digests`, a sequence of str: the content of each example without its annotation,
    by which an example is known again that another data set annotates in another way; and `starts`, a sequence of int:
    the position of the first example of each shard, from 0, where the parts of `em.part` should be whole shards.

    The sequences may be of any kind that has a length, items, slices and iteration: a list, or a column in a file
    (`jointtask.tools.TextColumn`). The engine never copies one as a whole.
    """

    ids: Sequence[str]
    digests: Sequence[str]
    fingerprint: str
    notes: Sequence[str]

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def batch(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return the frames of B examples, B first, on the CPU, unaugmented."""
        ...

    def example(self, index: int) -> Any:
        """Return one example at its own size, with an attribute `id`; what `finish` and metrics receive."""
        ...


class MemoryDataset:
    """A `Dataset` whose examples are all in memory; ids, tensors and examples are in the same order.

    Parameters
    ----------
    ids : sequence of n str
        Distinct names of the examples.
    tensors : mapping of str to Tensor, (n, ...)
        Frames of all examples, annotations included, on the CPU; `batch` returns copies of their rows.
    examples : sequence of n objects
        Examples at their own size, each with an attribute `id`.
    annotation : sequence of str
        Names of the tensors that hold the annotation: `input_digests` leaves them out.
    notes : sequence of str
        Lines for ``check`` and the report.

    Raises
    ------
    ValueError
        If the numbers of ids, examples and rows differ.

    Notes
    -----
    Digests are made from names, types, shapes and values of the tensors, so an example whose content is not all in its
    tensors needs a data set of its own.
    """

    def __init__(
        self,
        ids: Sequence[str],
        tensors: Mapping[str, Tensor],
        examples: Sequence[Any],
        *,
        annotation: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> None:
        counts = {"examples": len(examples), **{name: len(tensor) for name, tensor in tensors.items()}}
        if wrong := [f"{count} {name}" for name, count in counts.items() if count != len(ids)]:
            raise ValueError(f"one of each is needed for {len(ids)} ids, got {', '.join(wrong)}")
        self.ids = list(ids)
        self.notes = tuple(notes)
        self._tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        self._examples = list(examples)
        inputs = [name for name in self._tensors if name not in annotation]
        self.digests = [self._digest(row, list(self._tensors)) for row in range(len(self.ids))]
        self.input_digests = [self._digest(row, inputs) for row in range(len(self.ids))]
        whole = "\n".join([*self.digests, *self.ids])
        self.fingerprint = hashlib.sha256(name_bytes(whole)).hexdigest()

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.ids)

    def batch(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return copies of the rows of B examples, B first."""
        rows = torch.as_tensor(list(index), dtype=torch.int64)
        return {name: tensor[rows] for name, tensor in self._tensors.items()}

    def example(self, index: int) -> Any:
        """Return one example as it was given."""
        return self._examples[index]

    def _digest(self, row: int, names: Sequence[str]) -> str:
        content = hashlib.sha256()
        for name in sorted(names):
            values = self._tensors[name][row]
            content.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
            content.update(values.reshape(-1).view(torch.uint8).numpy().data)
        return content.hexdigest()
