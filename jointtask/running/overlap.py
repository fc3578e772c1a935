"""Examples that several data sets hold: what is learned from must not be what is scored."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from attrs import frozen

from jointtask.api.dataset import Dataset
from jointtask.tools.text import listing

__all__ = ["Overlap", "overlaps"]

_SHOWN = 3


@frozen
class Overlap:
    """What two data sets share.

    Attributes
    ----------
    one, other : str
        Names of the two data sets.
    ids : sequence of (str, str)
        The id of each shared example, in one and in the other.
    """

    one: str
    other: str
    ids: Sequence[tuple[str, str]]

    def __str__(self) -> str:
        names = listing([a if a == b else f"{a} = {b}" for a, b in self.ids], _SHOWN)
        return f"{self.one} and {self.other} share {len(self.ids):,} examples: {names}"


def overlaps(sets: Mapping[str, Dataset | None]) -> list[Overlap]:
    """Compare data sets, each two of them, by the content of their examples.

    Parameters
    ----------
    sets : mapping of str to Dataset or None
        Data sets by name.

    Returns
    -------
    list of Overlap
        One for each two that share an example: the same input, whatever its annotation, where both tell
        `input_digests`; the same `digests` otherwise.
    """
    shared_pairs = []
    for (one, a), (other, b) in itertools.combinations(sets.items(), 2):
        if a is None or b is None:
            continue
        attribute = "input_digests" if hasattr(a, "input_digests") and hasattr(b, "input_digests") else "digests"
        few, many = sorted((a, b), key=len)
        of_few = dict(zip(getattr(few, attribute), few.ids, strict=True))
        # No list of all digests: training data may have millions of examples.
        of_many = {digest: row for row, digest in enumerate(getattr(many, attribute)) if digest in of_few}
        shared = [(of_few[digest], many.ids[row]) for digest, row in of_many.items()]
        if ids := sorted(shared if few is a else [(second, first) for first, second in shared]):
            shared_pairs.append(Overlap(one, other, ids))
    return shared_pairs
