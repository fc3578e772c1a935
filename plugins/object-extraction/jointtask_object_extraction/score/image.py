"""The scores of one image: all maps that were made of it, against its mask."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask.api import Metric, NoSettings, Progress
from jointtask.tools import spread
from jointtask_object_extraction.data.decode import DecodeError
from jointtask_object_extraction.data.masks import ENCODINGS, Encoding, decode_map, decode_mask
from jointtask_object_extraction.data.names import shown
from jointtask_object_extraction.metrics import measures
from jointtask_object_extraction.metrics.components import metric_components
from jointtask_object_extraction.photograph import Extraction, Photograph
from jointtask_object_extraction.score.matching import Predictions

__all__ = ["ODDITIES", "ImageScores", "MapScores", "Scorer", "metric", "score_images"]

ODDITIES: Mapping[str, str] = {
    "resized": "of another size than their masks, resized (bilinear)",
    "aspect": "of another aspect ratio than their masks: of another image, turned, or squashed to a square",
    "empty": "zero throughout",
    "dark": "nowhere as high as 0.5, so P and J find nothing",
    "constant": "one value throughout",
    "0/1": "read as masks: 0 is background, 1 the object",
    "palette": f"read as palettes: {ENCODINGS['palette']}",
    "colour": f"read as colours: {ENCODINGS['colour']}",
    "alpha": "read as cut-outs: the map is their opacity",
}
"""What may be odd about a map, in the order in which it is reported."""

_ASPECT = 0.05  # a ratio that rounding of sizes does not explain
_MUCH = 0.2  # of J, that a complement must be better to look like the object
_AT_ONCE = 16  # images for each process between two reports of progress


@frozen
class MapScores:
    """The scores of one map.

    Attributes
    ----------
    scores : mapping of str to float or ndarray
        Scores by the metric's name; empty if the map cannot be read.
    curves : ndarray, (3, 256), or None
        Precision, recall and F-measure by threshold, if they were asked for.
    inverted : bool
        The complement of the map finds the object much better.
    oddities : sequence of str
        Keys of `ODDITIES`.
    faults : sequence of str
        Files that cannot be read, and why.
    """

    scores: Mapping[str, float | NDArray[np.float64]]
    curves: NDArray[np.float64] | None = None
    inverted: bool = False
    oddities: Sequence[str] = ()
    faults: Sequence[str] = ()


@frozen
class ImageScores:
    """The scores of one image.

    Attributes
    ----------
    id : str
        Id of the mask.
    maps : sequence of MapScores or None
        Scores by folder of predictions; None where it has no map.
    truth : Encoding or None
        Encoding of the mask; None if it cannot be read.
    empty : bool
        The mask has no object.
    fault : str
        Reason why the mask cannot be read.
    """

    id: str
    maps: Sequence[MapScores | None]
    truth: Encoding | None = None
    empty: bool = False
    fault: str = ""


@cache
def metric(name: str) -> Metric:
    """Build a metric of this plugin by the name of its component; none of them asks for a context."""
    component: Any = next(component for component in metric_components() if component.name == name)
    built: Metric = component.build(NoSettings(), None)
    return built


@frozen
class Scorer:
    """Scores an image by its id, here or in another process.

    Attributes
    ----------
    masks : mapping of str to pathlib.Path
        Masks by id.
    predictions : sequence of Predictions
        The folders.
    metrics : sequence of str
        Names of metrics.
    curves : bool
        Whether curves are wanted too.
    max_pixels : int
        Larger files are faults.
    """

    masks: Mapping[str, Path]
    predictions: Sequence[Predictions]
    metrics: Sequence[str]
    curves: bool
    max_pixels: int

    def __call__(self, id_: str) -> ImageScores:
        """Score all maps of an image."""
        try:
            mask, encoding = decode_mask(self.masks[id_], None, self.max_pixels)
        except DecodeError as error:
            return ImageScores(id_, [None] * len(self.predictions), fault=_reason(error))
        photograph = Photograph(id_, np.empty((*mask.shape, 0), np.uint8), mask)  # no metric looks at the image
        maps = [
            self._map(folder.maps[id_], folder.boxes.get(id_), photograph, mask) if id_ in folder.maps else None
            for folder in self.predictions
        ]
        return ImageScores(id_, maps, encoding, not mask.any())

    def _map(self, path: Path, box_path: Path | None, photograph: Photograph, mask: NDArray[np.bool_]) -> MapScores:
        faults = []
        box = None
        try:
            given, encoding = decode_map(path, self.max_pixels)
        except DecodeError as error:
            return MapScores({}, faults=[_reason(error)])
        if box_path is not None and "box-iou" in self.metrics:
            try:
                box = _read_box(box_path, mask.shape)
            except (OSError, TypeError, ValueError) as error:
                faults.append(f"{shown(box_path)}: {error}")
        value = _resized(given, mask.shape)
        return MapScores(
            {name: metric(name).score(Extraction(value, box), photograph) for name in self.metrics},
            _curves(value, mask) if self.curves else None,
            measures.iou(1 - value, mask) > measures.iou(value, mask) + _MUCH,
            [*_shape_oddities(given.shape, mask.shape), *_value_oddities(given, mask), *{encoding} & ODDITIES.keys()],
            faults,
        )


def score_images(scorer: Scorer, workers: int, progress: Progress) -> list[ImageScores]:
    """Score all images, in the order of their ids.

    Parameters
    ----------
    scorer : Scorer
        The masks and the maps.
    workers : int
        Number of processes.
    progress : Progress
        The display of progress.
    """
    ids, step = list(scorer.masks), _AT_ONCE * workers
    scored: list[ImageScores] = []
    with progress.phase("scoring", len(ids)) as bar, spread(scorer, workers) as of_many:
        for first in range(0, len(ids), step):
            some = ids[first : first + step]
            scored += of_many(some)
            bar.advance(len(some))
    return scored


def _curves(value: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.stack([*measures.precision_recall(value, mask), measures.f_curve(value, mask)])


def _resized(value: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    if value.shape == shape:
        return value
    resized = cv2.resize(value, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.float32).clip(0, 1)


def _read_box(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """Read a box, in pixels of the mask; None if the file says that there is none."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not {"size", "box"} <= content.keys():
        raise ValueError("no box: it must hold 'size' (width, height) and 'box' (x1, y1, x2, y2)")
    if content["box"] is None:
        return None
    size, box = (np.asarray(content[key], dtype=np.float32) for key in ("size", "box"))
    if size.shape != (2,) or box.shape != (4,) or not size.min() > 0 or not np.isfinite(box).all():
        raise ValueError("no box: 'size' must be two positive numbers, and 'box' four numbers")
    return box * np.tile(np.array([shape[1], shape[0]], dtype=np.float32) / size, 2)


def _shape_oddities(shape: tuple[int, ...], wanted: tuple[int, ...]) -> list[str]:
    ratio = shape[1] / shape[0] * wanted[0] / wanted[1]
    return ["resized"] * (shape != wanted) + ["aspect"] * (not 1 - _ASPECT < ratio < 1 / (1 - _ASPECT))


def _value_oddities(value: NDArray[np.float32], mask: NDArray[np.bool_]) -> list[str]:
    low, high = value.min(), value.max()
    if high == 0:
        return ["empty"] * bool(mask.any())
    if low == high:
        return ["constant"]
    return ["dark"] * bool(high < 0.5 and mask.any())


def _reason(error: DecodeError) -> str:
    return f"{error.message} ({error.cause})" if error.cause else error.message
