"""Arrays that are made once per example and then live on disk: keyed by content, read through memory maps."""

from __future__ import annotations

import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import blake2b
from itertools import pairwise
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from uuid import uuid4

import numpy as np
import platformdirs
from attrs import frozen
from numpy.typing import NDArray

from jointtask.api.errors import DataError, RunError
from jointtask.api.progress import Bar, Progress
from jointtask.tools.text import listing

__all__ = ["CachedArrays", "FaultsError", "cache_folder", "cached_arrays", "explained"]

Arrays = Mapping[str, NDArray[Any]]

_SHARD = 128
_NEW_LINE = "\n  "
_CHECK = "crc32"  # (rows + 1, fields), written beside the fields; the last row is of the layout itself
_STALE = 3600.0  # seconds after which a temporary file has no writer any more
_REMEDY = "free space there, or set JOINTTASK_CACHE to a folder that can be written and has room"


def cache_folder() -> Path:
    """Return the absolute path of the cache folder, which may not exist yet.

    It is the user's cache folder of the platform, or what the environment variable ``JOINTTASK_CACHE`` names.
    """
    chosen = os.environ.get("JOINTTASK_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("jointtask")


class FaultsError(DataError):
    """The examples of which no arrays could be made.

    Attributes
    ----------
    faults : mapping of int to DataError
        What was wrong, by the example's position.
    """

    def __init__(self, faults: Mapping[int, DataError], total: int) -> None:
        lines = [" ".join(filter(None, (f.message, f.cause and f"({f.cause})"))) for f in faults.values()]
        count = f"{len(faults):,} of {total:,} examples cannot be used"
        super().__init__(
            f"{count}\n  {listing(lines, 10, between=_NEW_LINE)}", remedy=next(iter(faults.values())).remedy
        )
        self.faults = faults


class _Layout(NamedTuple):
    """Where a file's one record begins, and what it holds."""

    dtype: np.dtype[Any]
    offset: int


@frozen
class _Shard:
    path: Path
    start: int
    stop: int


class CachedArrays:
    """The cached arrays of all examples, none of them in memory, no file open between two calls.

    Made by `cached_arrays`. A row is compared with its checksum when it is first read.
    """

    def __init__(self, shards: Sequence[_Shard], layouts: Sequence[_Layout]) -> None:
        self._shards = shards
        self._layouts = layouts
        self._starts = np.array([shard.start for shard in shards], dtype=np.intp)
        self._verified: dict[str, NDArray[np.bool_]] = {}

    def __len__(self) -> int:
        """Return the number of examples."""
        return self._shards[-1].stop if self._shards else 0

    def batch(
        self, index: Sequence[int] | NDArray[np.integer], names: Sequence[str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Gather the rows of B examples.

        Parameters
        ----------
        index : sequence of int, (B,)
            Positions, at least one, each in [0, len(self)).
        names : sequence of str, optional
            The arrays wanted; all if it is not given.

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
        of_shard = np.searchsorted(self._starts, rows, side="right") - 1
        gathered: dict[str, NDArray[Any]] = {}
        for number in np.unique(of_shard).tolist():
            places = np.flatnonzero(of_shard == number)
            for name, values in self._read(number, rows[places], names).items():
                if name not in gathered:
                    gathered[name] = np.empty((len(rows), *values.shape[1:]), dtype=values.dtype)
                gathered[name][places] = values
        return gathered

    def _read(self, number: int, rows: NDArray[np.intp], names: Sequence[str] | None) -> dict[str, NDArray[Any]]:
        shard = self._shards[number]
        arrays = _mapped(shard, self._layouts[number])
        checks = arrays.pop(_CHECK)
        local = rows - shard.start
        read: dict[str, NDArray[Any]] = {}
        for column, (name, array) in enumerate(arrays.items()):
            if names is None or name in names:
                values = read[name] = array[local]
                if name not in self._verified:
                    self._verified[name] = np.zeros(len(self), dtype=np.bool_)
                for place in np.flatnonzero(~self._verified[name][rows]).tolist():
                    if zlib.crc32(values[place : place + 1].data) != checks[local[place], column]:
                        _refuse(shard)
                self._verified[name][rows] = True
        return read


def cached_arrays(
    folder: Path,
    keys: Sequence[str],
    make: Callable[[int], Arrays],
    *,
    workers: int,
    progress: Progress,
    label: str,
    shard_size: int = _SHARD,
) -> CachedArrays:
    """Make what is not in the cache yet, and open the whole.

    Parameters
    ----------
    folder : pathlib.Path
        Where this kind of arrays is kept; two runs may fill it at once.
    keys : sequence of str, (N,)
        Everything that the arrays of an example depend on: its content, the settings and the version of `make`.
    make : callable
        ``make(i)`` gives the arrays of example `i` by name, of the same shapes and types for all. Called from threads.
    workers : int
        Number of threads.
    progress : Progress
        Gets a phase, if there is anything to make.
    label : str
        The name of that phase.
    shard_size : int
        Examples to a file, on average. Its arrays are in memory while it is made.

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
    shards = [
        _Shard(folder / f"{_digest(keys[start:stop])}.npy", start, stop)
        for start, stop in pairwise(_cuts(keys, shard_size))
    ]
    missing = [shard for shard in shards if _layout(shard) is None]
    if missing:
        _remove_stale(folder)
        faults: dict[int, DataError] = {}
        total = sum(shard.stop - shard.start for shard in missing)
        with progress.phase(label, total) as bar, ThreadPoolExecutor(max(1, workers)) as pool:
            for shard in missing:
                faults |= _build(shard, make, pool, bar)
        if faults:
            raise FaultsError(faults, len(keys))
    return CachedArrays(shards, [_layout(shard) or _refuse(shard) for shard in shards])


def _digest(keys: Sequence[str]) -> str:
    return blake2b("\n".join(keys).encode(), digest_size=20).hexdigest()


def _cuts(keys: Sequence[str], size: int) -> list[int]:
    """Cut where the key's own hash says so: one example more or less then changes one shard, not all that follow."""
    cuts = [0]
    for position, key in enumerate(keys, start=1):
        if zlib.crc32(key.encode()) % size == 0 or position - cuts[-1] == 2 * size or position == len(keys):
            cuts.append(position)
    return cuts


def _build(shard: _Shard, make: Callable[[int], Arrays], pool: ThreadPoolExecutor, bar: Bar) -> dict[int, DataError]:
    def attempt(index: int) -> Arrays | DataError:
        try:
            return make(index)
        except DataError as error:
            return error

    rows = shard.stop - shard.start
    record: NDArray[Any] | None = None
    faults: dict[int, DataError] = {}
    for row, made in enumerate(pool.map(attempt, range(shard.start, shard.stop))):
        if isinstance(made, DataError):
            faults[shard.start + row] = made
        elif not faults:
            layout = [(name, array.dtype, (rows, *array.shape)) for name, array in made.items()]
            dtype = np.dtype([(_CHECK, np.uint32, (rows + 1, len(made))), *layout])
            record = np.zeros((), dtype) if record is None else record
            if record.dtype != dtype:
                raise ValueError(f"{shard.path}: arrays of one fixed layout are needed: {record.dtype}, then {dtype}")
            for column, (name, array) in enumerate(made.items()):
                record[name][row] = array
                record[_CHECK][row, column] = zlib.crc32(np.ascontiguousarray(array).data)
        bar.advance()
    if record is not None and not faults:
        record[_CHECK][rows] = zlib.crc32(str(record.dtype.descr).encode())
        _write(shard.path, record)
    return faults


def _write(path: Path, record: NDArray[Any]) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_suffix(f".{uuid4().hex}.tmp")
    with explained(path.parent):
        try:
            with temporary.open("xb") as file:
                np.save(file, record)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _layout(shard: _Shard) -> _Layout | None:
    """Read the layout of a shard's file, or return None where there is no such file or not a whole one."""
    with explained(shard.path.parent):
        try:
            record = np.load(shard.path, mmap_mode="r")
        except FileNotFoundError:
            return None
        except OSError:
            raise
        except Exception:  # whatever a damaged header provokes in NumPy, it means one thing
            return None
    dtype, rows = record.dtype, shard.stop - shard.start
    if record.shape or not dtype.names or dtype[0].shape[:1] != (rows + 1,):
        return None
    undamaged = (record[dtype.names[0]][rows] == zlib.crc32(str(dtype.descr).encode())).all()
    return _Layout(dtype, record.offset) if undamaged else None


def _mapped(shard: _Shard, layout: _Layout) -> dict[str, NDArray[Any]]:
    """Map a shard's arrays; the map lives as long as they do."""
    with explained(shard.path.parent):
        try:
            with shard.path.open("rb") as file:
                content = mmap(file.fileno(), 0, access=ACCESS_READ)
            record = np.frombuffer(content, layout.dtype, count=1, offset=layout.offset)
        except (FileNotFoundError, ValueError):
            _refuse(shard)
    return {name: record[name][0] for name in layout.dtype.names or ()}


def _refuse(shard: _Shard) -> NoReturn:
    shard.path.unlink(missing_ok=True)
    raise RunError(
        f"{shard.path}: a file of the cache is damaged or gone",
        remedy="run the same command again: the file will be made anew",
    )


def _remove_stale(folder: Path) -> None:
    for path in folder.glob("*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _STALE:
                path.unlink()


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what a full or closed disk raises into a `RunError` that says where, and what to do.

    Parameters
    ----------
    folder : pathlib.Path
        The folder of the cache that is read or written.
    """
    try:
        yield
    except OSError as error:
        # NumPy's own words for a full disk are "N requested and M written"
        cause = error.strerror or f"{error}; {shutil.disk_usage(folder).free / 1e6:,.0f} MB are free there"
        raise RunError(f"the cache in {folder} cannot be used", cause=cause, remedy=_REMEDY) from error
