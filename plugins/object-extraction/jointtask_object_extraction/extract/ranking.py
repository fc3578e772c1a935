"""`summary.csv`: the images of a call with their scores, worst first, so that a person looks at those that need it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from jointtask.api import ConfigError
from jointtask.tools import write_atomic
from jointtask_object_extraction.extract.images import Scored

__all__ = ["NAME", "require_summary", "write_summary"]

NAME = "summary.csv"
"""The file's name, in the folder of the results."""

_COLUMNS = ("image", "object", "score", "note")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def require_summary(folder: Path) -> None:
    """Refuse a folder whose `summary.csv` is somebody else's.

    Raises
    ------
    ConfigError
        If there is a file of this name that `write_summary` has not written.
    """
    path = folder / NAME
    if path.exists() and _read(path) is None:
        raise ConfigError(f"{path} is not a summary of scores", remedy="move it away, or choose another --to")


def write_summary(folder: Path, scored: Iterable[Scored]) -> None:
    """Write or continue `summary.csv`: scores that it has of other images stay.

    A cell that a spreadsheet would take for a formula is written with an apostrophe before it.
    """
    path = folder / NAME
    new: list[tuple[str, str, str, str]] = [
        (_cell(s.image), str(s.number), f"{s.score:.4f}", _cell(s.note)) for s in scored
    ]
    images = {row[0] for row in new}
    rows = [*new, *(row for row in _read(path) or [] if row[0] not in images)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    rows.sort(key=lambda row: (float(row[2]), row[0], int(row[1])))
    writer.writerows(rows)
    write_atomic(path, text.getvalue().encode("utf-8", "surrogateescape"))


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _read(path: Path) -> list[tuple[str, str, str, str]] | None:
    """Read the rows of an earlier call; None from what is not such a summary."""
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8", errors="surrogateescape"))))
        if not lines or tuple(lines[0]) != _COLUMNS:
            return None
        rows = [(image, number, score, note) for image, number, score, note in lines[1:]]
        for _, number, score, _ in rows:
            float(score), int(number)
    except (OSError, IndexError, ValueError):
        return None
    return rows
