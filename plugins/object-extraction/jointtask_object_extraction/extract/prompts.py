"""Boxes and points that a user gives, on the command line or in a file of many."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve

from jointtask.api import ConfigError
from jointtask_object_extraction.extract.inputs import Job

__all__ = ["give_boxes", "parse_box", "parse_point"]

_LISTED = 5
_COLUMNS = ("x1", "y1", "x2", "y2")
_NAMES = ("image", "id", "name", "file")

Box = tuple[float, float, float, float]


def parse_point(text: str) -> tuple[float, float]:
    """Read `x,y`.

    Raises
    ------
    ConfigError
        If it is not two numbers.
    """
    x, y = _numbers(text.split(","), 2, f"--point {text}", "x,y")
    return x, y


def parse_box(values: Sequence[Any], where: str) -> Box:
    """Read four numbers x1, y1, x2, y2.

    Raises
    ------
    ConfigError
        If they are not the sides of a box.
    """
    x1, y1, x2, y2 = _numbers(values, 4, where, "x1,y1,x2,y2")
    if not (x1 < x2 and y1 < y2):
        raise ConfigError(f"{where}: the box is empty", remedy="give x1,y1,x2,y2 with x1 < x2 and y1 < y2")
    return x1, y1, x2, y2


def give_boxes(jobs: Sequence[Job], text: str) -> list[Job]:
    """Give each image its box.

    Parameters
    ----------
    jobs : sequence of Job
        Images.
    text : str
        `x1,y1,x2,y2`, for one image; or the path of a CSV file with the columns image, x1, y1, x2, y2; or of a JSON
        file that maps images to lists of four numbers, or lists records with `image` and `box`. An image is named by
        its path below its folder, or by its file name, with or without suffix.

    Raises
    ------
    ConfigError
        If it cannot be read, or an image has no box in it.
    """
    path = Path(text)
    if not path.is_file():
        box = parse_box(text.split(","), f"--box {text}")
        if len(jobs) > 1:
            raise ConfigError(
                f"--box {text} is one box, and there are {len(jobs)} images", remedy="give a CSV or JSON file of boxes"
            )
        return [evolve(job, box=box) for job in jobs]
    boxes = _read(path)
    given = [evolve(job, box=next((boxes[n] for n in _names(job) if n in boxes), None)) for job in jobs]
    missing = [str(job.source) for job in given if job.box is None]
    if missing:
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        raise ConfigError(
            f"{path} has no box for {', '.join(missing[:_LISTED])}{more}",
            cause=f"it names {', '.join(list(boxes)[:_LISTED]) or 'none'}{', ...' if len(boxes) > _LISTED else ''}",
            remedy="name images by their path below the folder, or by their file name",
        )
    return given


def _names(job: Job) -> list[str]:
    below = job.name.as_posix()
    return [below + job.source.suffix, below, job.source.name, job.source.stem]


def _read(path: Path) -> dict[str, Box]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read", cause=str(error)) from error
    rows = _json(path, text) if text.lstrip().startswith(("{", "[")) else _csv(path, text)
    boxes: dict[str, Box] = {}
    for name, values, where in rows:
        if name in boxes:
            raise ConfigError(f"{where}: {name} has two boxes", remedy="give one box for each image")
        boxes[name] = parse_box(values, where)
    return boxes


def _csv(path: Path, text: str) -> Iterable[tuple[str, Sequence[Any], str]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    columns = [column.strip().lower() for column in reader.fieldnames or ()]
    key = next((name for name in _NAMES if name in columns), None)
    if key is None or not set(_COLUMNS) <= set(columns):
        raise ConfigError(
            f"{path} is no table of boxes",
            cause=f"its first line is {', '.join(columns) or 'empty'}",
            remedy="give it the columns image, x1, y1, x2, y2",
        )
    reader.fieldnames = columns
    for row in reader:
        yield (row[key] or "").strip(), [row[column] for column in _COLUMNS], f"{path}, line {reader.line_num}"


def _json(path: Path, text: str) -> Iterable[tuple[str, Sequence[Any], str]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON", cause=str(error)) from error
    if isinstance(content, dict) and "box" not in content:
        return [(name, box, f"{path}, {name}") for name, box in content.items()]
    records = content if isinstance(content, list) else [content]
    rows = []
    for record in records:
        name = next((record[key] for key in _NAMES if key in record), None) if isinstance(record, Mapping) else None
        if not isinstance(name, str) or "box" not in record:
            raise ConfigError(
                f"{path} holds something that is no box: {str(record)[:60]}",
                remedy='write {"cat.jpg": [x1, y1, x2, y2]}, or [{"image": "cat.jpg", "box": [x1, y1, x2, y2]}]',
            )
        rows.append((name, record["box"], f"{path}, {name}"))
    return rows


def _numbers(values: Any, count: int, where: str, shape: str) -> list[float]:
    try:
        numbers = [float(value) for value in values] if isinstance(values, Sequence) else []
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or any(number != number or abs(number) == float("inf") for number in numbers):
        raise ConfigError(
            f"{where} is not {shape}", remedy=f"give {count} numbers, in pixels from the upper left corner"
        )
    return numbers
