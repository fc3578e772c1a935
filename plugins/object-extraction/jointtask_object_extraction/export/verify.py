"""An exported model against the run that it comes from, on photographs of many sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from attrs import frozen

from jointtask_object_extraction.data.synthetic_scenes.materials import load_materials
from jointtask_object_extraction.data.synthetic_scenes.scene import make_scene
from jointtask_object_extraction.metrics.measures import mask_box
from jointtask_object_extraction.photograph import FRAME, Extraction, Photograph

__all__ = ["BOX_LIMIT", "PROBABILITY_LIMIT", "SIZES", "Agreement", "compare_models", "trial_photographs"]

PROBABILITY_LIMIT = 1e-3
BOX_LIMIT = 1e-2
"""Largest differences of a probability, and of a side of the box in frame units, that are accepted."""

SIZES = (
    (300, 400),
    (400, 300),
    (224, 224),
    (448, 448),
    (150, 200),
    (640, 480),
    (1, 300),
    (300, 1),
    (37, 900),
    (800, 1200),
)
"""Heights and widths of the photographs: landscape, portrait, one pixel wide, smaller than the frame, larger."""


@frozen
class Agreement:
    """How far two models agree.

    Attributes
    ----------
    photographs, sizes : int
        Number of photographs, and of different sizes among them.
    probability : float
        Largest difference of a probability at the photographs' own sizes.
    box : float
        Largest difference of a side of the box, in frame units, where the probabilities decide the box.
    """

    photographs: int
    sizes: int
    probability: float
    box: float

    @property
    def accepted(self) -> bool:
        """Whether the differences are within the limits."""
        return self.probability <= PROBABILITY_LIMIT and self.box <= BOX_LIMIT


def trial_photographs() -> Iterator[Photograph]:
    """Yield scenes at each of `SIZES`: as they are, and cut off so that the object touches a border."""
    materials = load_materials("test")
    for index, (height, width) in enumerate(SIZES):
        image, mask = make_scene(materials, 0, index)
        box = mask_box(mask)
        assert box is not None  # every scene has an object
        x1, y1, x2, y2 = (int(value) for value in box)
        cut = image[(y1 + y2) // 2 :, (x1 + x2) // 2 :]
        for part, name in ((image, "whole"), (cut, "cut")):
            resized = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
            yield Photograph(f"{name}-{height}x{width}", np.ascontiguousarray(resized, dtype=np.uint8), None)


def compare_models(
    one: Callable[[Photograph], Extraction],
    other: Callable[[Photograph], Extraction],
    photographs: Iterator[Photograph],
) -> Agreement:
    """Compare what two models extract from the same photographs."""
    count, probability, box = 0, 0.0, 0.0
    sizes: set[tuple[int, ...]] = set()
    for photograph in photographs:
        a, b = one(photograph), other(photograph)
        difference = float(np.abs(a.probability - b.probability).max())
        probability, box = max(probability, difference), max(box, _box_difference(a, b, difference))
        count, sizes = count + 1, sizes | {photograph.image.shape[:2]}
    return Agreement(count, len(sizes), probability, box)


def _box_difference(a: Extraction, b: Extraction, difference: float) -> float:
    """Return the largest difference of two boxes in frame units; 0 where such probabilities do not decide them."""
    height, width = a.probability.shape
    assert a.box is not None  # both come from pairs with boxes
    assert b.box is not None
    units = np.abs(a.box - b.box) * FRAME / np.array([width, height, width, height])
    if units.max() > BOX_LIMIT and difference <= PROBABILITY_LIMIT:
        wide, tight = (mask_box(a.probability >= 0.5 + sign * difference) for sign in (-1, 1))
        # A pixel within rounding of 0.5 may belong to either mask, and so may a side of the box.
        if wide is None or tight is None or not np.array_equal(wide, tight):
            return 0.0
    return float(units.max())
