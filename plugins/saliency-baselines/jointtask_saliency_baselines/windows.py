"""The hundred windows of an image that may frame an object: a stand-in for objectness (Alexe et al., CVPR 2010)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from jointtask_object_extraction.photograph import FRAME
from numpy.typing import NDArray
from skimage.segmentation import felzenszwalb

from jointtask_saliency_baselines.maps import label_colours, to_lab
from jointtask_saliency_baselines.merge_tree import adjacent_pairs, merge_tree

__all__ = ["WINDOWS", "box_overlap", "windows"]

WINDOWS = 100
"""Of every image."""

_FROM_REGIONS = 80
"""At most; the others depend on the frame alone."""

_LEAST_SIDE = 16
_SAME = 0.85
"""Overlap above which a window is left out for an earlier one."""


def windows(frame: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return windows of one image, no two of which nearly coincide.

    First come the boxes around the regions of a hierarchy, the largest region first: a fine segmentation (Felzenszwalb
    and Huttenlocher, IJCV 2004), merged by colour. Then come boxes at and around the centre.

    Parameters
    ----------
    frame : ndarray, (F, F, 3), uint8
        RGB, squashed to the square of 224 pixels.

    Returns
    -------
    ndarray, (100, 4), int32
        Half-open (x1, y1, x2, y2) in pixels of the frame, each side at least 16.
    """
    regions = _region_boxes(frame)
    kept = _distinct(np.empty((0, 4), np.int32), regions, _FROM_REGIONS)
    return _distinct(kept, _centre_boxes(), WINDOWS)


def box_overlap(boxes: NDArray[np.integer[Any]], others: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return the intersection over union of boxes (A, 4) with boxes (B, 4): (A, B)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    area, other = ((some[:, 2:] - some[:, :2]).prod(axis=1) for some in (boxes, others))
    overlap: NDArray[np.float64] = common / (area[:, None] + other[None] - common)
    return overlap


def _region_boxes(frame: NDArray[np.uint8]) -> NDArray[np.int32]:
    lab = to_lab(frame / 255)
    labels = felzenszwalb(lab, scale=50 * 255, sigma=0.8, min_size=100)
    sizes = np.bincount(labels.ravel())
    colours = label_colours(labels, lab, len(sizes))
    member = merge_tree(colours, sizes, adjacent_pairs(labels)[0])
    member = member[np.argsort(-(member @ sizes), kind="stable")]
    rows, columns = np.indices(labels.shape)
    lows, highs = [], []
    for coordinate in (columns, rows):
        low, high = np.full(len(sizes), FRAME), np.zeros(len(sizes), np.int64)
        np.minimum.at(low, labels, coordinate)
        np.maximum.at(high, labels, coordinate + 1)
        lows.append(np.where(member, low, FRAME).min(axis=1))
        highs.append(np.where(member, high, 0).max(axis=1))
    boxes: NDArray[np.int32] = np.stack([*lows, *highs], axis=1).astype(np.int32)
    large: NDArray[np.int32] = boxes[(boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= _LEAST_SIDE]
    return large


def _centre_boxes() -> NDArray[np.int32]:
    """Return boxes of five widths and heights at nine places, those nearest to the centre first."""
    sides, places = (0.8, 0.6, 0.45, 0.3, 0.95), (0.5, 0.38, 0.62)
    boxes = [
        (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        for x, y, width, height in itertools.product(places, places, sides, sides)
    ]
    clipped = np.rint(np.clip(boxes, 0, 1) * FRAME)
    offset = np.abs(clipped[:, :2] + clipped[:, 2:] - FRAME).sum(axis=1)
    return np.asarray(clipped[np.argsort(offset, kind="stable")], np.int32)


def _distinct(kept: NDArray[np.int32], candidates: NDArray[np.int32], most: int) -> NDArray[np.int32]:
    """Add candidates in turn, unless one that is kept nearly coincides, until there are enough."""
    for box in candidates:
        if len(kept) >= most:
            break
        if not (box_overlap(kept, box[None]) > _SAME).any():
            kept = np.concatenate([kept, box[None]])
    return kept
