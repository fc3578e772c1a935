"""SaliencyCut: a saliency map becomes the mask of one object, by GrabCut that starts from the map.

Cheng et al., Global Contrast based Salient Region Detection, TPAMI 2015, section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import cv2
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask_saliency_baselines.colour_cut import BACKGROUND, FOREGROUND, UNKNOWN, ColourCut, grab_cut
from jointtask_saliency_baselines.maps import Floats, Image, Map, min_max, working_size

__all__ = ["Cut", "largest_component", "saliency_cut", "update_trimap"]

Cut = Literal["max-flow", "grabcut"]

_LOW, _HIGH = 0.1, (0.9, 0.7, 0.5, 0.3)
"""Below the first a pixel is background; above the second, lowered from try to try, it is object."""

_SEED_LEVEL = 70
"""Of 255: the seed is the part of the map above it."""

_SEED_SHARE, _OBJECT_SHARE = 0.005, 0.02
"""Least saliency of the seed, as a share of a white image's, and least area of the object, of the crop's."""

_FRAME_SHARE = 0.02
"""Thickness of the image's frame, which is background."""

_PAD = 20
"""Pixels around the seed's box."""

_ROUNDS = 4
_SETTLED = 10
"""Changed pixels below which the mask is final."""

_BAND = 5
"""Pixels that the object's border may move by, in either direction, from one round to the next."""

_LEAST_CORE = 50
"""Pixels of the eroded mask below which the mask itself is certain."""

Mask = NDArray[np.bool_]
Trimap = NDArray[np.uint8]
_Cutter = Callable[[Trimap, Floats], Mask]


def saliency_cut(image: Image, saliency: Floats, cut: Cut = "max-flow") -> Mask:
    """Cut the most salient object out of an image.

    The colour models have full covariances, so the order of the colour channels makes no difference. An image of more
    than 512 x 512 pixels is shrunk to as many, like those that saliency maps are made of, and its mask is enlarged.

    Parameters
    ----------
    image : ndarray, (H, W, 3), uint8
        The image, RGB.
    saliency : ndarray, (H, W), float
        Finite, of any range: it is blurred and stretched to [0, 1].
    cut : {"max-flow", "grabcut"}
        The published algorithm, or a faster one that has `cv2.grabCut` in place of its colour models and cuts. The
        second seeds OpenCV's random numbers of the calling thread, so that a mask depends on nothing but the input.

    Returns
    -------
    ndarray, (H, W), bool
        One 4-connected object, or nothing at all where the map has no object or all four tries failed.

    Raises
    ------
    ValueError
        If the two differ in size, or are empty.
    """
    if image.shape != (*saliency.shape, 3) or not image.size:
        raise ValueError(f"an image of shape {image.shape} cannot be cut by a map of shape {saliency.shape}")
    height, width = saliency.shape
    size = working_size(height, width)
    shrunk: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    level: Map = cv2.resize(saliency.astype(np.float32), size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    mask = _cut_object(shrunk, level, cut)
    return cv2.resize(mask.astype(np.float32), (width, height)) > 0.5


def update_trimap(mask: Mask) -> Trimap:
    """Return what is certain of a mask (H, W): 255 for object, 0 for background, 128 within 5 pixels of the border."""
    binary, kernel = mask.astype(np.uint8), np.ones((3, 3), np.uint8)
    core = cv2.erode(binary, kernel, iterations=_BAND)
    if np.count_nonzero(core) < _LEAST_CORE:
        core = binary
    reach = cv2.dilate(binary, kernel, iterations=_BAND)
    trimap: Trimap = np.array([BACKGROUND, UNKNOWN, FOREGROUND], np.uint8)[core + reach]
    return trimap


def largest_component(values: NDArray[np.integer[Any]]) -> tuple[Mask, int]:
    """Return the 4-connected component of the non-zero values (H, W) that has the largest sum, and the sum."""
    _, label = cv2.connectedComponents((values > 0).astype(np.uint8), connectivity=4)
    total = np.bincount(label.ravel(), weights=values.ravel())
    total[0] = 0
    best = int(total.argmax())
    return (label == best) & (values > 0), int(total[best])


def _cut_object(image: Image, saliency: Map, cut: Cut) -> Mask:
    mask = np.zeros(saliency.shape, np.bool_)
    scene = _Scene.of(image, saliency)
    if scene is None:
        return mask
    cutter: _Cutter = ColourCut.of(scene.image) if cut == "max-flow" else partial(grab_cut, scene.image)
    for high in _HIGH:
        inside = _cut_scene(scene, high, cutter)
        if inside is not None:
            mask[scene.box] = inside
            break
    return mask


@frozen(eq=False)
class _Scene:
    """The part of an image around the seed."""

    box: tuple[slice, slice]
    image: Image
    saliency: Floats
    seed: Mask
    frame: Mask

    @classmethod
    def of(cls, image: Image, saliency: Map) -> _Scene | None:
        """Find the seed; none if too little of the map is salient."""
        height, width = saliency.shape
        frame = np.ones(saliency.shape, np.bool_)
        rows, columns = round(_FRAME_SHARE * height), round(_FRAME_SHARE * width)
        frame[rows : height - rows, columns : width - columns] = False
        blurred: Map = cv2.blur(min_max(saliency), (9, 9))  # type: ignore[assignment]  # a flat map stays 0, exactly
        smooth = min_max(blurred)
        smooth[frame | (smooth <= _LOW)] = 0
        level = np.rint(255 * smooth).astype(np.int64)
        level[level <= _SEED_LEVEL] = 0
        seed, total = largest_component(level)
        if total <= _SEED_SHARE * 255 * height * width:
            return None
        x, y, w, h = cv2.boundingRect(seed.astype(np.uint8))
        box = slice(max(y - _PAD, 0), y + h + _PAD), slice(max(x - _PAD, 0), x + w + _PAD)
        return cls(box, np.ascontiguousarray(image[box]), smooth[box], seed[box], frame[box])


def _cut_scene(scene: _Scene, high: float, cutter: _Cutter) -> Mask | None:
    """Alternate between cuts and narrower trimaps; none if too small an object is left."""
    trimap = np.full(scene.seed.shape, UNKNOWN, np.uint8)
    trimap[scene.saliency < _LOW] = BACKGROUND
    trimap[scene.saliency > high] = FOREGROUND
    belief: Floats = scene.saliency
    mask = scene.seed
    for _ in range(_ROUNDS):
        before = mask
        mask, area = largest_component(cutter(trimap, belief).astype(np.int64))
        if area <= _OBJECT_SHARE * mask.size:
            return None
        if np.count_nonzero(mask != before) < _SETTLED:
            break
        trimap = update_trimap(mask)
        trimap[scene.frame] = BACKGROUND
        belief = (trimap != BACKGROUND).astype(np.float64)
    return mask
