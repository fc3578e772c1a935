"""What a data set is to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

__all__ = ["Dataset"]


class Dataset(Protocol):
    """Examples by position, twice: as frames of one size for the networks, and at their own size for scoring.

    Attributes
    ----------
    ids : sequence of str
        One distinct name per example; random streams and latents hang on them.
    digests : sequence of str
        The content of each example as a hexadecimal digest; caches hang on them.
    fingerprint : str
        The content of the whole data set, annotations included, as a hexadecimal digest.
    notes : sequence of str
        What was decided while reading and what is odd, one line each, for ``check`` and the report.

    A data set may also have `input_digests`, a sequence of str: the content of each example without its annotation,
    by which an example is known again that another data set annotates in another way.
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
