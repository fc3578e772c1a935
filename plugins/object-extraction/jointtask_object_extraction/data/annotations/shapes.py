"""Annotated objects: a box, polygons, run lengths or an index in a map of labels, and the mask that they describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask_object_extraction.data.opening import DecodeError, open_image

__all__ = ["Annotated", "Shape", "finite_numbers", "run_lengths"]

Corners = tuple[float, ...]


@frozen
class Shape:
    """One annotated object, in pixels of its image; pixel i covers ``[i, i + 1)``.

    Attributes
    ----------
    box : tuple of 4 float, or None
        Half-open box (x1, y1, x2, y2); None where only a mask is annotated.
    polygons : tuple of tuple of float
        Corners x1, y1, x2, y2, ... of the parts of its mask.
    runs : tuple of int
        Lengths of runs of 0 and 1 by turns, column after column, of a mask of `size`.
    size : tuple of 2 int, or None
        Height and width of the image that was annotated, where that is told.
    labels : pathlib.Path or None
        Map of labels, in which the object has the value `index`.
    index : int
        The object's value in `labels`.
    """

    box: Corners | None = None
    polygons: tuple[Corners, ...] = ()
    runs: tuple[int, ...] = ()
    size: tuple[int, int] | None = None
    labels: Path | None = None
    index: int = 0

    @property
    def has_mask(self) -> bool:
        """Whether a mask is annotated."""
        return bool(self.polygons or self.runs or self.labels)

    @property
    def extent(self) -> float:
        """Area that objects are compared by: of the polygons, else of the run lengths, else of the box."""
        if self.polygons:
            return sum(_area(polygon) for polygon in self.polygons)
        if self.runs:
            return float(sum(self.runs[1::2]))
        return 0.0 if self.box is None else (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])

    def mask(self, height: int, width: int, max_pixels: int) -> NDArray[np.bool_] | None:
        """Draw the mask, (height, width); None where none is annotated. A pixel belongs to it if its centre does.

        Raises
        ------
        DecodeError
            If the map of labels cannot be read or has another size.
        ValueError
            If the run lengths do not fit.
        """
        if self.polygons:
            return _filled(self.polygons, height, width)
        if self.runs:
            if sum(self.runs) != height * width:
                raise ValueError(f"its run lengths are of {sum(self.runs):,} pixels, the image has {height * width:,}")
            flat = np.repeat(np.arange(len(self.runs)) % 2 == 1, self.runs)
            return np.ascontiguousarray(flat.reshape(width, height).T)
        if self.labels is None:
            return None
        picture = open_image(self.labels, max_pixels)
        if picture.size != (width, height):
            raise DecodeError(
                self.labels,
                "mask of another size than its image",
                cause=f"the mask is {picture.size[0]} x {picture.size[1]} pixels, its image {width} x {height}",
            )
        mask: NDArray[np.bool_] = np.asarray(picture) == self.index
        return mask


@frozen
class Annotated:
    """An image with its annotated objects.

    Attributes
    ----------
    id : str
        Name of the image in the data set.
    image : pathlib.Path
        The image file.
    shape : Shape
        The object that is used.
    """

    id: str
    image: Path
    shape: Shape


def finite_numbers(values: Any, count: int = 0) -> Corners:
    """Return numbers as floats.

    Raises
    ------
    ValueError
        If these are not finite numbers, or not `count` of them (0: any number).
    """
    numbers = tuple(float(value) for value in values)
    if not np.isfinite(numbers).all() or (count and len(numbers) != count):
        raise ValueError(f"expected {count or 'only'} numbers, got {str(values)[:80]}")
    return numbers


def run_lengths(segmentation: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Return the run lengths and the size of a COCO mask, compressed or not.

    Raises
    ------
    ValueError
        If they are damaged.
    """
    height, width = (int(side) for side in segmentation["size"])
    counts = segmentation["counts"]
    runs = _uncompressed(counts) if isinstance(counts, str) else [int(count) for count in counts]
    if any(run < 0 for run in runs) or sum(runs) != height * width:
        raise ValueError(f"run lengths of {sum(runs):,} pixels for a size of {height} x {width}")
    return tuple(runs), (height, width)


def _uncompressed(text: str) -> list[int]:
    """Decode run lengths: 5 bits a character, each run after the third as the change to the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def _area(polygon: Corners) -> float:
    x, y = np.array(polygon[::2]), np.array(polygon[1::2])
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _filled(polygons: Sequence[Corners], height: int, width: int) -> NDArray[np.bool_]:
    from skimage.draw import polygon

    draw: Any = polygon
    mask = np.zeros((height, width), dtype=bool)
    for corners in polygons:
        rows, columns = draw(np.array(corners[1::2]) - 0.5, np.array(corners[::2]) - 0.5, (height, width))
        mask[rows, columns] = True
    return mask
