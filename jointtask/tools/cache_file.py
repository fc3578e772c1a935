"""One file of the cache: the arrays of some examples as one NumPy record, with a checksum of each row."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from attrs import frozen
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from jointtask.api.errors import RunError
from jointtask.tools.cache_folder import explained
from jointtask.tools.files import replacing

__all__ = ["CacheFile", "Layout", "fill_row", "record_type"]

_CHECKSUMS = "crc32"  # (rows + 1, arrays), before the arrays; the last row is the checksum of the layout itself


@frozen
class Layout:
    """Where the record of a file begins, in bytes, and what it holds."""

    dtype: np.dtype[Any]
    offset: int


@frozen
class CacheFile:
    """The file of the examples `start` to `stop`, which need not exist."""

    path: Path
    start: int
    stop: int

    @property
    def rows(self) -> int:
        """Number of examples."""
        return self.stop - self.start

    def layout(self) -> Layout | None:
        """Return the layout of the file, or None where there is no such file or not a whole one."""
        with explained(self.path.parent):
            try:
                record: Any = open_memmap(self.path, mode="r")  # type: ignore[no-untyped-call]  # NumPy has no types here
            except FileNotFoundError:
                return None
            except OSError:
                raise
            except Exception:  # a damaged header makes NumPy raise errors of many kinds
                return None
        dtype = record.dtype
        if record.shape or not dtype.names or dtype[0].shape[:1] != (self.rows + 1,):
            return None
        undamaged = (record[dtype.names[0]][self.rows] == zlib.crc32(str(dtype.descr).encode())).all()
        return Layout(dtype, record.offset) if undamaged else None

    def read(
        self, layout: Layout, rows: NDArray[np.intp], names: Sequence[str] | None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.uint32]]]:
        """Return copies of some rows of the arrays named, all if None, and the checksums stored for these rows."""
        with explained(self.path.parent):
            try:
                record = np.memmap(self.path, layout.dtype, "r", layout.offset, ())
            except (FileNotFoundError, ValueError):  # gone, or shorter than its header says
                self.refuse()
        stored = record[_CHECKSUMS]
        arrays = [name for name in layout.dtype.names or () if name != _CHECKSUMS]
        wanted = [name for name in arrays if names is None or name in names]
        values = {name: np.asarray(record[name][rows]) for name in wanted}
        return values, {name: np.asarray(stored[rows, arrays.index(name)]) for name in wanted}

    def write(self, record: NDArray[Any]) -> None:
        """Write the file whole or not at all."""
        record[_CHECKSUMS][self.rows] = zlib.crc32(str(record.dtype.descr).encode())
        with explained(self.path.parent), replacing(self.path) as temporary, temporary.open("xb") as file:
            np.save(file, record)

    def refuse(self) -> NoReturn:
        """Remove the file and say so."""
        self.path.unlink(missing_ok=True)
        raise RunError(
            f"{self.path}: a file of the cache is damaged or gone",
            remedy="run the same command again: the file will be made anew",
        )


def record_type(arrays: Mapping[str, NDArray[Any]], rows: int) -> np.dtype[Any]:
    """Return the type of a record for `rows` examples whose arrays are like these."""
    fields = [(name, array.dtype, (rows, *array.shape)) for name, array in arrays.items()]
    return np.dtype([(_CHECKSUMS, np.uint32, (rows + 1, len(arrays))), *fields])


def fill_row(record: NDArray[Any], row: int, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put the arrays of one example into a record, with their checksums."""
    for column, (name, array) in enumerate(arrays.items()):
        record[name][row] = array
        record[_CHECKSUMS][row, column] = zlib.crc32(np.ascontiguousarray(array).data)
