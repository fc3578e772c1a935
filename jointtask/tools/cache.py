"""Arrays that are made once per example and then live on disk: keyed by content, read through memory maps."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jointtask.api.errors import DataError
from jointtask.api.names import name_bytes
from jointtask.api.progress import Bar, Progress
from jointtask.tools.cache_file import CacheFile, Layout, fill_row, record_type
from jointtask.tools.cache_folder import cache_folder, explained
from jointtask.tools.files import remove_leftovers
from jointtask.tools.text import listing

__all__ = ["CachedArrays", "FaultsError", "cache_folder", "cached_arrays", "explained", "open_cached"]

Arrays = Mapping[str, NDArray[Any]]

_EXAMPLES_PER_FILE = 128  # examples
_STALE = 3600.0  # seconds after which a temporary file has no writer any more
_NEW_LINE = "\n  "


class FaultsError(DataError):
    """The examples of which no arrays could be made.

    Attributes
    ----------
    faults : mapping of int to DataError
        Error of each example that has one, by its position.
    """

    def __init__(self, faults: Mapping[int, DataError], total: int) -> None:
        lines = [" ".join(filter(None, (f.message, f.cause and f"({f.cause})"))) for f in faults.values()]
        count = f"{len(faults):,} of {total:,} examples cannot be used"
        super().__init__(
            f"{count}\n  {listing(lines, 10, between=_NEW_LINE)}", remedy=next(iter(faults.values())).remedy
        )
        self.faults = faults


class CachedArrays:
    """The cached arrays of all examples, none of them in memory, no file open between two calls.

    Made by `cached_arrays`. A row is compared with its checksum when it is first read.
    """

    def __init__(self, files: Sequence[CacheFile], layouts: Mapping[int, Layout]) -> None:
        self._files = files
        self._layouts = dict(layouts)
        self._starts = np.array([file.start for file in files], dtype=np.intp)
        self._verified: dict[str, NDArray[np.bool_]] = {}

    def __len__(self) -> int:
        """Return the number of examples."""
        return self._files[-1].stop if self._files else 0

    def batch(
        self, index: Sequence[int] | NDArray[np.integer], names: Sequence[str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Gather the rows of B examples.

        Parameters
        ----------
        index : sequence of int, (B,)
            Positions, at least one, each in [0, len(self)).
        names : sequence of str, optional
            Names of the arrays wanted; all if it is not given.

        Returns
        -------
        dict of str to ndarray, B first
            In memory, free to be changed.

        Raises
        ------
        RunError
            If a file was damaged after it was written. It is removed, so that the next run makes it again.
        """
        rows = np.asarray(index, dtype=np.intp)
        if rows.size == 0 or rows.min() < 0 or rows.max() >= len(self):
            raise IndexError(f"positions must be in [0, {len(self)}), at least one")
        file_of_row = np.searchsorted(self._starts, rows, side="right") - 1
        gathered: dict[str, NDArray[Any]] = {}
        for number in np.unique(file_of_row).tolist():
            positions = np.flatnonzero(file_of_row == number)
            for name, values in self._read(number, rows[positions], names).items():
                if name not in gathered:
                    gathered[name] = np.empty((len(rows), *values.shape[1:]), dtype=values.dtype)
                gathered[name][positions] = values
        return gathered

    def described(self) -> dict[str, Any]:
        """Return plain JSON values by which `open_cached` opens the same arrays."""
        return {"files": [file.path.name for file in self._files], "starts": self._starts.tolist(), "stop": len(self)}

    def _read(self, number: int, rows: NDArray[np.intp], names: Sequence[str] | None) -> dict[str, NDArray[Any]]:
        """Read rows of one file, and compare those that have not been read before with their checksums."""
        file = self._files[number]
        if number not in self._layouts:
            self._layouts[number] = file.layout() or file.refuse()
        arrays, checksums = file.read(self._layouts[number], rows - file.start, names)
        for name, values in arrays.items():
            if name not in self._verified:
                self._verified[name] = np.zeros(len(self), dtype=np.bool_)
            for row in np.flatnonzero(~self._verified[name][rows]).tolist():
                if zlib.crc32(values[row : row + 1].data) != checksums[name][row]:
                    file.refuse()
            self._verified[name][rows] = True
        return arrays


def cached_arrays(
    folder: Path,
    keys: Sequence[str],
    make: Callable[[int], Arrays],
    *,
    workers: int,
    progress: Progress,
    label: str,
    examples_per_file: int = _EXAMPLES_PER_FILE,
) -> CachedArrays:
    """Make what is not in the cache yet, and open the whole.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of this kind of arrays; two runs may fill it at once.
    keys : sequence of str, (N,)
        Text of everything that the arrays of an example depend on: its content, the settings, the version of `make`.
    make : callable
        Function of a position: ``make(i)`` returns the arrays of example `i` by name, of the same shapes and types for
        all; called from threads.
    workers : int
        Number of threads.
    progress : Progress
        Display that gets a phase, if there is anything to make.
    label : str
        Name of that phase.
    examples_per_file : int
        Examples in a file, on average; their arrays are in memory while it is made.

    Returns
    -------
    CachedArrays
        Of N examples, in the order of `keys`.

    Raises
    ------
    FaultsError
        If `make` raised `DataError`, after all other examples have been tried. Complete files are kept.
    RunError
        If the folder cannot be written or read.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files = [
        CacheFile(folder / f"{_digest(keys[start:stop])}.npy", start, stop)
        for start, stop in pairwise(_cuts(keys, examples_per_file))
    ]
    missing = [file for file in files if file.layout() is None]
    if missing:
        remove_leftovers(folder, _STALE)
        faults: dict[int, DataError] = {}
        total = sum(file.rows for file in missing)
        with progress.phase(label, total) as bar, ThreadPoolExecutor(max(1, workers)) as pool:
            for file in missing:
                faults |= _make_file(file, make, pool, bar)
        if faults:
            raise FaultsError(faults, len(keys))
    return CachedArrays(files, {number: file.layout() or file.refuse() for number, file in enumerate(files)})


def open_cached(folder: Path, described: Mapping[str, Any]) -> CachedArrays | None:
    """Open arrays that were made before, without their keys.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the arrays.
    described : mapping
        Result of `CachedArrays.described` for the arrays.

    Returns
    -------
    CachedArrays or None
        None if one of their files is gone.
    """
    names, starts = described["files"], [*described["starts"], described["stop"]]
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if not present.issuperset(names):
        return None
    spans = zip(names, pairwise(starts), strict=True)
    return CachedArrays([CacheFile(folder / name, start, stop) for name, (start, stop) in spans], {})


def _digest(keys: Sequence[str]) -> str:
    return blake2b(name_bytes("\n".join(keys)), digest_size=20).hexdigest()


def _cuts(keys: Sequence[str], size: int) -> list[int]:
    """Cut where the key's own hash says so: one example more or less then changes one file, not all that follow."""
    cuts = [0]
    for position, key in enumerate(keys, start=1):
        if zlib.crc32(name_bytes(key)) % size == 0 or position - cuts[-1] == 2 * size or position == len(keys):
            cuts.append(position)
    return cuts


def _make_file(
    file: CacheFile, make: Callable[[int], Arrays], pool: ThreadPoolExecutor, bar: Bar
) -> dict[int, DataError]:
    """Make and write one file; return what was wrong, by position, in which case nothing is written."""

    def attempt(index: int) -> Arrays | DataError:
        try:
            return make(index)
        except DataError as error:
            return error

    record: NDArray[Any] | None = None
    faults: dict[int, DataError] = {}
    for row, made in enumerate(pool.map(attempt, range(file.start, file.stop))):
        if isinstance(made, DataError):
            faults[file.start + row] = made
        elif not faults:
            dtype = record_type(made, file.rows)
            record = np.zeros((), dtype) if record is None else record
            if record.dtype != dtype:
                raise ValueError(f"{file.path}: arrays of one fixed layout are needed: {record.dtype}, then {dtype}")
            fill_row(record, row, made)
        bar.advance()
    if record is not None and not faults:
        file.write(record)
    return faults
