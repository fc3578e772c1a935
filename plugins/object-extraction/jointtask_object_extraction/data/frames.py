"""Examples that are read from files: frames in the cache, faults all at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from hashlib import file_digest as hash_file
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jointtask.api import Context, DataError, name_bytes
from jointtask.tools import CachedArrays
from jointtask_object_extraction.data.decode import DecodeError
from jointtask_object_extraction.data.members import Member
from jointtask_object_extraction.data.names import shown
from jointtask_object_extraction.data.pairing import listed
from jointtask_object_extraction.photograph import Photograph

__all__ = ["EMPTY", "FileExample", "FrameDataset", "digest_of", "file_digest", "read_files", "unusable"]

EMPTY = "empty mask"
"""The problem of a mask without an object."""

_TWICE = "more than one image of one name"

Item = TypeVar("Item")
Read = TypeVar("Read")


class FileExample(Protocol):
    """An example in files, by their content."""

    @property
    def id(self) -> str:
        """Its name in the data set."""
        ...

    @property
    def digest(self) -> str:
        """Digest of all its files, and of how they are read."""
        ...

    @property
    def image_digest(self) -> str:
        """Digest of its image file."""
        ...

    def photograph(self) -> Photograph:
        """Decode it at its own size."""
        ...


class FrameDataset:
    """Examples in files, with frames in the cache; a `jointtask.api.dataset.Dataset`.

    Parameters
    ----------
    examples : sequence of FileExample
        The examples that are used.
    frames : CachedArrays
        Frames of these examples and others, in the cache.
    rows : ndarray, (n,)
        Row of each example in the cache.
    names : sequence of str
        Names of the cached arrays that are a batch.
    notes : sequence of str
        Lines about what was decided and what is odd.
    """

    def __init__(
        self,
        examples: Sequence[FileExample],
        frames: CachedArrays,
        rows: NDArray[np.intp],
        names: Sequence[str],
        notes: Sequence[str],
    ) -> None:
        self.ids: Sequence[str] = [example.id for example in examples]
        self.digests: Sequence[str] = [example.digest for example in examples]
        self.input_digests: Sequence[str] = [example.image_digest for example in examples]
        self.fingerprint = digest_of(*self.ids, *self.digests)
        self.notes = notes
        self.examples = examples
        self.frames = frames
        self.rows = rows
        self._names = names

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.ids)

    def batch(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return the frames of B examples.

        Parameters
        ----------
        index : sequence of int, (B,)
            Positions in the data set.

        Returns
        -------
        dict of str to Tensor
            ``image`` (B, 3, 224, 224), uint8, RGB; with annotation also ``mask`` (B, 224, 224), uint8, 1 on the object.
            Of annotation files also ``box`` (B, 4), float32, half-open in frame units, and ``has_mask`` (B,), bool:
            without a mask, its frame is 0.
        """
        frames = self.frames.batch(self.rows[np.asarray(index, dtype=np.intp)], self._names)
        return {name: torch.from_numpy(array) for name, array in frames.items()}

    def example(self, index: int) -> Photograph:
        """Decode one example at its own size."""
        return self.examples[index].photograph()


def read_files(
    items: Sequence[Item], read: Callable[[Item], Read], context: Context
) -> tuple[list[Read], list[DecodeError]]:
    """Read something of every item, in threads; return what was read in order, and the faults of the others."""

    def attempt(item: Item) -> Read | DecodeError:
        try:
            return read(item)
        except DecodeError as error:
            return error

    results: list[Read] = []
    faults: list[DecodeError] = []
    with context.progress.phase("read files", len(items)) as bar, ThreadPoolExecutor(max(1, context.workers)) as pool:
        for result in pool.map(attempt, items):
            if isinstance(result, DecodeError):
                faults.append(result)
            else:
                results.append(result)
            bar.advance()
    return results, faults


def digest_of(*parts: str) -> str:
    """Return the digest of texts, as 40 hexadecimal digits."""
    return blake2b(name_bytes("\n".join(parts)), digest_size=20).hexdigest()


def file_digest(path: Path | Member) -> str:
    """Return the digest of a file's content, as 40 hexadecimal digits."""
    try:
        if isinstance(path, Member):
            return blake2b(path.read(), digest_size=20).hexdigest()
        if not path.is_file() and path.exists():
            raise DecodeError(path, "cannot be read", cause="it is no regular file")
        with path.open("rb") as file:
            return hash_file(file, lambda: blake2b(digest_size=20)).hexdigest()
    except OSError as error:
        raise DecodeError(Path(str(path)), "cannot be read", cause=error.strerror or str(error)) from error


def unusable(problems_listed: Mapping[str, Sequence[str]], faults: Iterable[DataError]) -> DataError:
    """Return the error that tells everything that is wrong with the data, by kind of problem."""
    problems = defaultdict(list, {problem: list(names) for problem, names in problems_listed.items()})
    for fault in faults:
        problem, name = (fault.problem, fault.path) if isinstance(fault, DecodeError) else ("unusable", str(fault))
        problems[problem].append(f"{shown(name)} ({fault.cause})" if fault.cause else shown(name))
    lines = [f"{problem}, {len(names):,}: {listed(names)}" for problem, names in problems.items()]
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    skip = "; empty = 'skip' leaves empty masks out" if EMPTY in problems else ""
    twice = "; a line with a suffix chooses one of several files of a name" if _TWICE in problems else ""
    return DataError(
        "\n  ".join([f"the data cannot be used: {count}", *lines]),
        remedy="correct or remove these files, or list those to use in a file named by `ids`, or those to leave out in"
        f" one named by `without`{twice}{skip}",
    )
