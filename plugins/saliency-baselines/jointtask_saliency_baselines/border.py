"""The rule by which RC takes regions along the border of an image for background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jointtask_saliency_baselines.maps import Labels, label_means, pixel_centres

__all__ = ["border_likelihood", "border_pixels"]

_STRIP = 0.02
"""Width of the strips along the border, in image sides."""

_LIKELY = 0.4
"""A region of a larger likelihood is background."""


def border_pixels(regions: Labels, count: int) -> NDArray[np.bool_]:
    """Return where an image is border: in the strips, and in every region whose border likelihood exceeds 0.4.

    Parameters
    ----------
    regions : ndarray, (H, W), int
        Labels 0 to `count` - 1.
    count : int

    Returns
    -------
    ndarray, (H, W), bool
    """
    columns, rows = _strips(*regions.shape)
    likely: NDArray[np.bool_] = (border_likelihood(regions, count) > _LIKELY)[regions]
    return likely | columns | rows


def border_likelihood(regions: Labels, count: int) -> NDArray[np.float64]:
    """Return how likely each region is cut off by the border: (count,), float64, at least 0.

    ``X / (4 h V_y) + Y / (4 w V_x)``: X pixels of the region in the strips at the left and right, Y in those at the
    top and bottom, w and h the widths of the strips in pixels (2 % of the image's width and of its height, 1 at
    least), V the mean absolute deviation of its pixels in x and in y. That X goes with h and Y with w is as in the
    authors' program.

    Parameters
    ----------
    regions : ndarray, (H, W), int
        Labels 0 to `count` - 1.
    count : int
    """
    height, width = regions.shape
    columns, rows = _strips(height, width)
    spread = []
    for centres in pixel_centres(height, width):
        deviation = np.abs(centres - label_means(regions, centres, count)[regions])
        spread.append(label_means(regions, deviation, count) + np.finfo(np.float64).eps)
    in_columns, in_rows = (
        np.bincount(regions.ravel(), np.broadcast_to(strips, regions.shape).ravel(), count)
        for strips in (columns, rows)
    )
    likelihood: NDArray[np.float64] = in_columns / (4 * _strip(height) * spread[1])
    likelihood += in_rows / (4 * _strip(width) * spread[0])
    return likelihood


def _strip(side: int) -> int:
    return max(1, round(_STRIP * side))


def _strips(height: int, width: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the strips at the left and right, (1, W), and those at the top and bottom, (H, 1)."""
    columns, rows = np.arange(width)[None], np.arange(height)[:, None]
    across, down = _strip(width), _strip(height)
    return (columns < across) | (columns >= width - across), (rows < down) | (rows >= height - down)
