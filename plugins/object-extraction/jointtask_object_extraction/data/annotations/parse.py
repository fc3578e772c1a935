"""Reading annotation files: the objects of each image, by the image's name."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from jointtask.api import DataError
from jointtask_object_extraction.data.annotations.shapes import Shape, finite_numbers, run_lengths
from jointtask_object_extraction.data.formats import SUFFIXES
from jointtask_object_extraction.data.listing import list_files
from jointtask_object_extraction.data.names import normal, pair_names, shown
from jointtask_object_extraction.data.pairing import by_name
from jointtask_object_extraction.data.textfile import read_text

__all__ = ["Objects", "read_boxes", "read_coco", "read_labelme", "read_voc"]

Objects = dict[str, list[Shape]]
"""The annotated objects by the name of their image: its path without suffix, as annotated."""

Problems = dict[str, list[str]]
_BAD = "annotation that cannot be read"
_CIRCLE = 64  # corners of a circle's polygon


def read_coco(path: Path, categories: Sequence[str], problems: Problems) -> Objects:
    """Read the instances of a COCO file: polygons, run lengths or boxes alone; crowds are left out.

    Raises
    ------
    DataError
        If it is no such file, or has none of the categories.
    """
    content = _json(path)
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise DataError(f"{shown(path)}: no COCO instances", cause="it has no list of 'images'")
    try:
        names = {each["id"]: str(each["name"]) for each in content.get("categories") or []}
        images = {image["id"]: (_bare(image["file_name"]), _coco_size(image)) for image in content["images"]}
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"{shown(path)}: no COCO instances", cause=f"{type(error).__name__}: {error}") from error
    if missing := [name for name in categories if name not in names.values()]:
        raise DataError(
            f"{shown(path)}: no category {', '.join(missing)}", cause=f"it has {', '.join(sorted(names.values()))}"
        )
    objects: Objects = {name: [] for name, _ in images.values()}
    for number, annotation in enumerate(content.get("annotations") or [], start=1):
        try:
            if annotation.get("iscrowd") or (categories and names.get(annotation.get("category_id")) not in categories):
                continue
            name, size = images[annotation["image_id"]]
            objects[name].append(_coco_shape(annotation, size))
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
            problems[_BAD].append(f"{shown(path.name)}, annotation {number} ({error or 'incomplete'})")
    return objects


def _coco_size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    return (int(image["height"]), int(image["width"])) if image.get("height") and image.get("width") else None


def _coco_shape(annotation: Mapping[str, Any], size: tuple[int, int] | None) -> Shape:
    box = None
    if annotation.get("bbox"):
        x, y, width, height = finite_numbers(annotation["bbox"], 4)
        box = (x, y, x + width, y + height)
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        runs, own = run_lengths(segmentation)
        return Shape(box, runs=runs, size=own)
    return Shape(box, _polygons(segmentation or []), size=size)


def read_labelme(folder: Path, labels: Sequence[str], problems: Problems) -> Objects:
    """Read the JSON files of labelme: polygons, rectangles and circles; other shapes are no objects."""
    objects: Objects = {}
    for name, path in _named(folder, ".json").items():
        try:
            content = json.loads(read_text(path, "annotation"))
            size = int(content["imageHeight"]), int(content["imageWidth"])
            shapes = [each for each in content["shapes"] if not labels or each.get("label") in labels]
            objects[name] = [shape for each in shapes if (shape := _labelme_shape(each, size)) is not None]
        except (AttributeError, DataError, LookupError, RecursionError, TypeError, ValueError) as error:
            problems[_BAD].append(f"{shown(path)} ({str(error).splitlines()[0] if str(error) else 'incomplete'})")
    return objects


def _labelme_shape(shape: Mapping[str, Any], size: tuple[int, int]) -> Shape | None:
    kind = shape.get("shape_type") or "polygon"
    points = [finite_numbers(point, 2) for point in shape["points"]]
    if kind == "rectangle":
        x, y = zip(*points, strict=True)
        return Shape((min(x), min(y), max(x), max(y)), size=size)
    if kind == "circle":
        (x0, y0), (x1, y1) = points
        turns = [2 * math.pi * step / _CIRCLE for step in range(_CIRCLE)]
        reach = math.hypot(x1 - x0, y1 - y0)
        points = [(x0 + reach * math.cos(turn), y0 + reach * math.sin(turn)) for turn in turns]
    elif kind != "polygon":
        return None
    return Shape(None, _polygons([[value for point in points for value in point]]), size=size)


def read_voc(folder: Path, masks: Path | None, labels: Sequence[str], problems: Problems) -> Objects:
    """Read the XML files of Pascal VOC: boxes, and where a folder of maps of objects is given, their masks."""
    objects: Objects = {}
    maps = {} if masks is None else by_name(masks, list_files(masks, SUFFIXES))
    named = _named(folder, ".xml")
    partner = pair_names(named, maps).partner
    for name, path in named.items():
        try:
            root = ElementTree.fromstring(read_text(path, "annotation"))
            map_ = maps[partner[name]][0] if name in partner else None
            # the map numbers the objects as they come, those of other labels too
            objects[name] = [
                Shape(_voc_box(each), labels=map_, index=index)
                for index, each in enumerate(root.iter("object"), start=1)
                if not labels or each.findtext("name") in labels
            ]
        except (DataError, ElementTree.ParseError, TypeError, ValueError) as error:
            problems[_BAD].append(f"{shown(path)} ({str(error).splitlines()[0]})")
    return objects


def _voc_box(element: ElementTree.Element) -> tuple[float, ...]:
    """Return the half-open box of an object; VOC counts pixels from 1, and the last belongs to the box."""
    x1, y1, x2, y2 = finite_numbers(
        [element.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")], 4
    )
    return x1 - 1, y1 - 1, x2, y2


def read_boxes(path: Path, problems: Problems) -> Objects:
    """Read a CSV file of boxes: id, x1, y1, x2, y2 in pixels, half-open; with a header or without."""
    text = read_text(path, "list of boxes")
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    objects: Objects = defaultdict(list)
    columns = [0, 1, 2, 3, 4]
    for number, row in enumerate(csv.reader(text.splitlines(), delimiter=delimiter), start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        lowered = [cell.lower() for cell in cells]
        if number == 1 and {"x1", "y1", "x2", "y2"} <= set(lowered):
            name = next((key for key in ("id", "image", "file", "filename", "name") if key in lowered), lowered[0])
            columns = [lowered.index(key) for key in (name, "x1", "y1", "x2", "y2")]
            continue
        try:
            x1, y1, x2, y2 = finite_numbers([cells[column] for column in columns[1:]], 4)
            if not (x1 < x2 and y1 < y2):
                raise ValueError("its sides are not in order: expected x1 < x2 and y1 < y2")
            objects[_bare(cells[columns[0]])].append(Shape((x1, y1, x2, y2)))
        except (IndexError, ValueError) as error:
            problems[_BAD].append(f"{shown(path.name)}, line {number} ({error})")
    return objects


def _polygons(parts: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    polygons = tuple(finite_numbers(part) for part in parts)
    if any(len(polygon) < 6 or len(polygon) % 2 for polygon in polygons):
        raise ValueError("a polygon needs at least three corners, x and y each")
    return polygons


def _bare(name: str) -> str:
    """Return the name of an image as annotated, without its suffix, with forward slashes."""
    path = Path(name.replace("\\", "/"))
    return normal((path.with_suffix("") if path.suffix.lower() in SUFFIXES else path).as_posix())


def _named(folder: Path, suffix: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"no such folder: {shown(folder)}", remedy="relative paths start at the working directory")
    files = by_name(folder, list_files(folder, frozenset({suffix})))
    if not files:
        raise DataError(f"no {suffix} file in {shown(folder)}")
    return {name: paths[0] for name, paths in sorted(files.items())}


def _json(path: Path) -> Any:
    try:
        return json.loads(read_text(path, "annotation file"))
    except (RecursionError, ValueError) as error:
        raise DataError(f"{shown(path)}: no JSON", cause=str(error)) from error
