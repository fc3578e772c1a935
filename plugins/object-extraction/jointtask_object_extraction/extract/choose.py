"""Which object is meant: the one in a box, the one under a point, or several one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from jointtask.api import ConfigError
from jointtask_object_extraction.extract.model import Model
from jointtask_object_extraction.extract.result import expected_iou
from jointtask_object_extraction.metrics.measures import mask_box
from jointtask_object_extraction.photograph import FRAME, Photograph

__all__ = ["check_box", "check_point", "object_at", "objects_in"]

_SHAPES = tuple((w, h) for side in (0.2, 0.4, 0.7) for w, h in ((side, side), (side / 2, side), (side, side / 2)))
"""Width and height of the boxes that are tried around a point, as shares of the photograph's."""

_SMALLEST = 0.005
"""Least share of the photograph that a further object has."""

_LEAST_SCORE = 0.8
"""Least expected intersection over union of a further object."""

_NEW = 0.5
"""Least share of a further object that is outside of all others."""


def check_box(box: Sequence[float], photograph: Photograph) -> NDArray[np.float32]:
    """Return a box inside of a photograph, (4,).

    Raises
    ------
    ConfigError
        If nothing of it is inside.
    """
    height, width = photograph.image.shape[:2]
    x1, y1, x2, y2 = (float(value) for value in box)
    inside = np.array([max(0, x1), max(0, y1), min(width, x2), min(height, y2)], dtype=np.float32)
    if not (inside[0] < inside[2] and inside[1] < inside[3]):
        raise ConfigError(
            f"the box {x1:g},{y1:g},{x2:g},{y2:g} holds nothing of {photograph.id}, {width} x {height} pixels",
            remedy="give x1,y1,x2,y2 in pixels from the upper left corner, x1 < x2 and y1 < y2",
        )
    return inside


def check_point(point: Sequence[float], photograph: Photograph) -> tuple[int, int]:
    """Return the pixel (x, y) that a point lies in.

    Raises
    ------
    ConfigError
        If it is outside of the photograph.
    """
    height, width = photograph.image.shape[:2]
    x, y = (float(value) for value in point)
    if not (0 <= x < width and 0 <= y < height):
        raise ConfigError(
            f"the point {x:g},{y:g} is outside of {photograph.id}, {width} x {height} pixels",
            remedy="give x,y in pixels from the upper left corner",
        )
    return int(x), int(y)


def object_at(model: Model, photograph: Photograph, point: tuple[int, int]) -> NDArray[np.float32]:
    """Return the probability of the object under a point, (H, W), float32.

    Where the point lies on what is predicted without it, that is the object, as far as it is connected. Elsewhere,
    boxes
    of several sizes and shapes are tried around the point; what each gives at the point, connected, is tried again in
    its own tight box. Of these, the one is taken whose expected intersection over union, times its mean overlap with
    all of them, is highest: boxes that agree are right more often than one that is sure. Nothing, all 0, where no box
    gives an object there.
    """
    height, width = photograph.image.shape[:2]
    boxes = np.array([_around(point, w * width, h * height, width, height) for w, h in _SHAPES], dtype=np.float32)
    whole = model.extract([photograph])[0].probability
    mask = _connected(whole, point)
    if mask.any():
        return _only(whole, mask)
    maps = [extraction.probability for extraction in model.extract_inside(photograph, boxes)]
    tight = [mask_box(part) for part in (_connected(probability, point) for probability in maps)]
    again = np.array([box for box in tight if box is not None], dtype=np.float32)
    if not len(again):
        return np.zeros((height, width), dtype=np.float32)
    maps = [extraction.probability for extraction in model.extract_inside(photograph, again)]
    masks = [_connected(probability, point) for probability in maps]
    scores = [
        expected_iou(mask, probability) * float(np.mean([_iou(mask, other) for other in masks]))
        for mask, probability in zip(masks, maps, strict=True)
    ]
    best = int(np.argmax(scores))
    return _only(maps[best], masks[best])


def _only(probability: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Keep the probabilities of a part of the mask, and of its soft edge; 0 elsewhere."""
    side = 2 * max(mask.shape) // FRAME + 3
    near = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) != 0
    return np.where(near, probability, np.float32(0))


def objects_in(model: Model, photograph: Photograph, count: int) -> list[NDArray[np.float32]]:
    """Return the probabilities of up to `count` objects, each (H, W), float32, the first as without a count.

    After each object, its pixels are painted over with the colours around it, and the model looks again; it ends where
    what it sees is small, unsure, or mostly one of the objects before.
    """
    found: list[NDArray[np.float32]] = []
    taken = np.zeros(photograph.image.shape[:2], dtype=bool)
    rest = photograph
    while len(found) < count:
        extraction = model.extract([rest])[0]
        probability = extraction.probability
        mask = probability >= 0.5
        if found:
            new = mask & ~taken
            if new.sum() < max(_NEW * mask.sum(), _SMALLEST * mask.size) or (
                expected_iou(mask, probability) < _LEAST_SCORE
            ):
                break
            probability = np.where(taken, np.float32(0), probability)
        found.append(probability)
        taken |= mask
        if not mask.any():
            break
        rest = evolve(photograph, image=_paint_over(photograph.image, taken))
    return found


def _iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def _around(
    point: tuple[int, int], width: float, height: float, right: int, bottom: int
) -> tuple[float, float, float, float]:
    x, y = point
    return (
        max(0.0, x - width / 2),
        max(0.0, y - height / 2),
        min(float(right), x + width / 2 + 1),
        min(float(bottom), y + height / 2 + 1),
    )


def _connected(probability: NDArray[np.float32], point: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the connected part of the mask that holds a point, (H, W); empty where the point is not in the mask."""
    _, labels = cv2.connectedComponents((probability >= 0.5).astype(np.uint8))
    label = labels[point[1], point[0]]
    return np.asarray((labels == label) & (label > 0))


def _paint_over(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fill a mask, and what is close to it, with the mean colours around it, near ones first."""
    height, width = mask.shape
    side = max(3, round(0.03 * max(height, width)))
    gone = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) != 0
    if gone.all():
        return image
    kept = (~gone).astype(np.float32)[..., None]
    total, weight = np.zeros(image.shape, np.float32), np.zeros_like(kept)
    values = image.astype(np.float32) * kept
    for factor, trust in ((1, 1.0), (4, 1e-3), (16, 1e-6), (64, 1e-9)):
        window = (2 * side * factor + 1, 2 * side * factor + 1)
        total += trust * cv2.blur(values, window, borderType=cv2.BORDER_REPLICATE)
        weight += trust * cv2.blur(kept, window, borderType=cv2.BORDER_REPLICATE)[..., None]
    filled = np.rint((total / np.maximum(weight, 1e-20)).clip(0, 255)).astype(np.uint8)
    return np.where(gone[..., None], filled, image)
