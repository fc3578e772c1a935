"""Some examples of a data set, where all would take too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from jointtask.api.dataset import Dataset

__all__ = ["SomeExamples", "at_most"]


class SomeExamples:
    """Some examples of a data set, as a `Dataset` of its own.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    positions : sequence of int
        Positions of the examples in it.
    """

    def __init__(self, dataset: Dataset, positions: Sequence[int]) -> None:
        self.ids: Sequence[str] = [dataset.ids[row] for row in positions]
        self.digests: Sequence[str] = [dataset.digests[row] for row in positions]
        self.fingerprint = dataset.fingerprint
        self.notes = dataset.notes
        self._dataset = dataset
        self._positions = positions

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._positions)

    def batch(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return the frames of B examples."""
        return self._dataset.batch([self._positions[row] for row in index])

    def example(self, index: int) -> Any:
        """Return one example at its own size."""
        return self._dataset.example(self._positions[index])


def at_most(dataset: Dataset, count: int) -> Dataset:
    """Return a data set, or so many of its examples, evenly spread over it."""
    total = len(dataset)
    if total <= count:
        return dataset
    return SomeExamples(dataset, [row * total // count for row in range(count)])
