"""What `jointtask score` prints and writes: lines for a terminal, JSON, and a CSV file of all images."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from textwrap import wrap

import attrs

from jointtask.tools import text, to_plain
from jointtask.tools.text import align, bounds, label, signed
from jointtask_object_extraction.data.names import shown
from jointtask_object_extraction.data.pairing import listed
from jointtask_object_extraction.score.record import MAXIMA, FolderScores, ScoreTable, Value

__all__ = ["as_csv", "as_json", "lines", "problems"]

_SHOWN = 5
_ESCAPED = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters of names that no stream should carry as they are; JSON keeps them exactly, as escapes."""

_BY_IMAGE = frozenset({"ids", "per_image", "oddities", "curves"})


def lines(table: ScoreTable) -> list[str]:
    """Lay out the scores for a terminal: all folders side by side, and the others' differences to the first."""
    others = table.folders[1:]
    names = [shown(folder.name) for folder in table.folders]
    rows = [[f"{len(table.ids):,} masks in {shown(table.truth)}", *names]]
    rows.append(["images scored", *(f"{folder.images:,}" for folder in table.folders)])
    said = align([*rows, *_cells(table, table.folders, _value)])
    if others:
        header = [f"difference to {names[0]}", *names[1:]]
        said += ["", *align([header, *_cells(table, others, _difference)])]
    return [*said, "", *wrap(_method(table), 110), *notes(table)]


def notes(table: ScoreTable) -> list[str]:
    """Say what was decided and what is odd, of the masks and of each folder."""
    said = [f"{shown(table.truth)}: {note}" for note in table.notes]
    for folder in table.folders:
        said += [f"{shown(folder.name)}: {note}" for note in folder.notes]
        if folder.unmatched:
            said.append(
                f"{shown(folder.name)}: predictions without a mask, not used; {len(folder.unmatched):,}: "
                f"{listed(folder.unmatched)}"
            )
    return said


def problems(table: ScoreTable, *, partial: bool) -> list[str]:
    """Say what keeps the scores from being those of the whole folder of masks."""
    said = _unreadable(table.truth, table.unreadable)
    for folder in table.folders:
        said += _unreadable(folder.name, folder.unreadable)
        if folder.missing and not partial:
            said.append(
                f"{shown(folder.name)}: no prediction for {len(folder.missing):,} of {len(table.ids):,} masks: "
                f"{listed(folder.missing)}; its scores leave them out (--partial accepts that)"
            )
    return said


def as_json(table: ScoreTable) -> str:
    """Return all but what belongs to single images."""
    kept = attrs.asdict(table, filter=lambda attribute, _: attribute.name not in _BY_IMAGE)
    text = json.dumps(to_plain({"masks": len(table.ids), **kept}), indent=2, ensure_ascii=False, allow_nan=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def as_csv(table: ScoreTable) -> str:
    """Return a header and, for each mask, a row for each folder; scores are not in percent, and empty where missing."""
    names = [name for name in table.definitions if name not in MAXIMA]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["image", "prediction", *names, "note"])
    for row, id_ in enumerate(table.ids):
        for folder in table.folders:
            values = (float(folder.per_image[name][row]) for name in names)
            cells = ("" if math.isnan(value) else repr(value) for value in values)
            writer.writerow([_cell(id_), _cell(folder.name), *cells, _cell(folder.oddities[row])])
    return file.getvalue()


def _cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet program takes for a formula."""
    cell = shown(text)
    return f"'{cell}" if cell.lstrip().startswith(("=", "+", "-", "@")) else cell


def _unreadable(name: str, faults: Sequence[str]) -> list[str]:
    name = shown(name)
    more = [f"{name}: {len(faults) - _SHOWN:,} more cannot be read; --json lists all"] * (len(faults) > _SHOWN)
    return [*(f"{name}: cannot be used: {fault}" for fault in faults[:_SHOWN]), *more]


def _cells(
    table: ScoreTable, folders: Sequence[FolderScores], write: Callable[[Value, bool], str]
) -> Iterator[list[str]]:
    for name, definition in table.definitions.items():
        cells = [write(folder.scores[name], bool(definition["percent"])) for folder in folders]
        if any(cells):
            yield [label(name, definition), *cells]


def _value(value: Value, percent: bool) -> str:
    within = "" if value.interval is None else f" ({bounds(value.interval, percent)})"
    return f"{text.score(value.value, percent)}{within}"


def _difference(value: Value, percent: bool) -> str:
    if value.difference is None:
        return ""
    within = "" if value.difference_interval is None else f" ({bounds(value.difference_interval, percent, sign=True)})"
    return f"{signed(value.difference, percent)}{within} {value.verdict}".rstrip()


def _method(table: ScoreTable) -> str:
    paired = "; differences are paired, and within noise where it includes zero" if len(table.folders) > 1 else ""
    maxima = [name for name in table.definitions if name in MAXIMA]
    none = f" None for {' and '.join(maxima)}, the maximum of a mean curve." if maxima else ""
    return f"In brackets: 95 % percentile bootstrap over images, {table.resamples:,} resamples{paired}.{none}"
