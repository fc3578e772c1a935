"""Columns in files, read through memory maps: what is known of more examples than a process should hold."""

from __future__ import annotations

import json
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask.api.names import name_bytes
from jointtask.tools.files import remove_leftovers, replacing, write_atomic

__all__ = ["Columns", "LazySequence", "TextColumn", "open_columns", "write_columns"]

_TEXT, _ENDS, _NUMBERS = ".text", ".ends.npy", ".npy"
_STALE = 3600.0  # seconds after which a temporary folder has no writer any more
_READ_TOGETHER = 65_536  # texts, while all are gone through

S = TypeVar("S")
T = TypeVar("T")


class LazySequence(Sequence[T]):
    """A function of each item of a sequence, taken when it is asked for.

    Parameters
    ----------
    values : sequence
        The items.
    function : callable
        Function of one item.
    """

    def __init__(self, values: Sequence[S], function: Callable[[S], T]) -> None:
        self._values: Sequence[Any] = values
        self._function = function

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        """Return one, or a list of some."""
        if isinstance(index, slice):
            return [self._function(value) for value in self._values[index]]
        return self._function(self._values[index])

    def __iter__(self) -> Iterator[T]:
        """Go through all."""
        return map(self._function, self._values)


class TextColumn(Sequence[str]):
    """Texts in two files, one after the other and where each ends; all processes of a machine share their pages.

    Made by `open_columns`.

    Attributes
    ----------
    distinct : bool
        Whether no text comes twice; False where that is not known.
    """

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.int64], *, distinct: bool = False) -> None:
        self._text = text
        self._ends = ends
        self.distinct = distinct

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return one text, or a list of some."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return self._read(start, stop) if step == 1 else [self[row] for row in range(start, stop, step)]
        row = range(len(self))[index]
        return self._read(row, row + 1)[0]

    def __iter__(self) -> Iterator[str]:
        """Go through all texts, some of them in memory at a time."""
        for start in range(0, len(self), _READ_TOGETHER):
            yield from self._read(start, start + _READ_TOGETHER)

    def _read(self, start: int, stop: int) -> list[str]:
        ends = self._ends[start:stop].tolist()
        if not ends:
            return []
        before = int(self._ends[start - 1]) if start else 0
        content = self._text[before : ends[-1]].tobytes()
        texts = []
        first = 0
        for end in ends:
            last = end - before
            texts.append(content[first:last].decode("utf-8", "surrogatepass"))
            first = last
        return texts


@frozen(eq=False)
class Columns:
    """What `write_columns` wrote.

    Attributes
    ----------
    texts : mapping of str to TextColumn
        Columns of text by name.
    numbers : mapping of str to ndarray, (n, ...)
        Columns of numbers by name, read-only.
    facts : mapping
        Plain values beside them.
    """

    texts: Mapping[str, TextColumn]
    numbers: Mapping[str, NDArray[Any]]
    facts: Mapping[str, Any]


def write_columns(
    path: Path,
    texts: Mapping[str, Iterable[str]],
    numbers: Mapping[str, NDArray[Any]],
    facts: Mapping[str, Any],
    *,
    distinct: Sequence[str] = (),
) -> None:
    """Write columns whole or not at all, in the place of those that are there.

    Parameters
    ----------
    path : pathlib.Path
        File that names them, written last; the columns are in a folder beside it. Processes that have older columns
        open go on reading those.
    texts : mapping of str to iterable of str
        Columns of text; they are gone through once.
    numbers : mapping of str to ndarray, (n, ...)
        Columns of numbers.
    facts : mapping
        Plain JSON values.
    distinct : sequence of str
        Names of the columns of text that are known to have no text twice.

    Raises
    ------
    OSError
        If they cannot be written; what was there before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, _STALE)
    before = _described(path)
    number = 1 + int(before["number"]) if before else 1
    folder = path.with_name(f"{path.stem}.{number}")
    shutil.rmtree(folder, ignore_errors=True)  # of a writer that was killed before it had named it
    with replacing(folder) as temporary:
        temporary.mkdir()
        for name, values in texts.items():
            _write_text(temporary, name, values)
        for name, column in numbers.items():
            np.save(temporary / f"{name}{_NUMBERS}", column)
    described = {"number": number, "texts": [*texts], "numbers": [*numbers], "distinct": [*distinct]}
    write_atomic(path, json.dumps({**described, "facts": dict(facts)}))
    if before:
        shutil.rmtree(path.with_name(f"{path.stem}.{number - 1}"), ignore_errors=True)


def open_columns(path: Path) -> Columns | None:
    """Open columns; None where there are none, or not whole ones."""
    described = _described(path)
    if described is None:
        return None
    folder = path.with_name(f"{path.stem}.{described['number']}")
    try:
        texts = {
            name: TextColumn(
                _mapped(folder / f"{name}{_TEXT}"),
                np.load(folder / f"{name}{_ENDS}", mmap_mode="r"),
                distinct=name in described["distinct"],
            )
            for name in described["texts"]
        }
        numbers = {name: np.load(folder / f"{name}{_NUMBERS}", mmap_mode="r") for name in described["numbers"]}
    except (OSError, ValueError):
        return None
    return Columns(texts, numbers, described["facts"])


def _write_text(folder: Path, name: str, values: Iterable[str]) -> None:
    ends = array("q")
    end = 0
    with (folder / f"{name}{_TEXT}").open("xb") as file:
        for value in values:
            content = name_bytes(value)
            file.write(content)
            end += len(content)
            ends.append(end)
    np.save(folder / f"{name}{_ENDS}", np.frombuffer(ends, dtype=np.int64))


def _mapped(path: Path) -> NDArray[np.uint8]:
    """Map the bytes of a file; one without any cannot be mapped."""
    return np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)


def _described(path: Path) -> dict[str, Any] | None:
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        return described if isinstance(described, dict) and isinstance(described.get("number"), int) else None
    except (OSError, ValueError):
        return None
