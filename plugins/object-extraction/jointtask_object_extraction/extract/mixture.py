"""Opacity from colours: a soft pixel lies between the colours of the object and of the ground beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from jointtask_object_extraction.photograph import FRAME

__all__ = ["at_band", "mix_by_colour"]

_RADIUS = 3.0
"""Radius of the window of the local colours, in pixels of the frame that the network sees."""

_WIDER, _SHARE = 4, 0.01
"""A window that is wider by the first factor counts with the second: it decides where the window has no sure pixel."""

_TRUST = 0.1
"""Variance of the network's opacity, against which that of the colours is weighed; chosen on DUTS-TR's `val.txt`."""

_NOISE = 1e-3
"""Variance of a photograph's colours, for colours in [0, 1]."""

_FEW = 1e-6
"""Variance of a mean colour, times the share of the window that it was taken from."""

_STRIP_PIXELS = 1_000_000


def mix_by_colour(
    image: NDArray[np.uint8],
    small: NDArray[np.float32],
    probability: NDArray[np.float32],
    band: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Move soft edges to where the photograph's colours change from the object's to the ground's.

    Parameters
    ----------
    image : ndarray, (H, W, 3), uint8
        RGB values of the photograph.
    small : ndarray, (h, w, 3), float32
        The photograph in [0, 1], reduced to the size at which local colours are taken.
    probability : ndarray, (H, W), float32
        Probability of the object.
    band : ndarray, (H, W), bool
        Pixels that are changed.

    Returns
    -------
    ndarray, (H, W), float32
        In [0, 1].

    Notes
    -----
    Beside a soft pixel, the object has the mean colour F and the ground B, over pixels that the network is sure of. The
    pixel's colour, projected on the line from B to F, gives an opacity a, of variance ``(a var F + (1 - a) var B +
    squared distance from the line) / |F - B|**2``. It is averaged with the network's, each weighted by the inverse of
    its variance: where object and ground have one colour, or many, the network decides.
    """
    height, width = small.shape[:2]
    reduced = np.asarray(cv2.resize(probability, (width, height), interpolation=cv2.INTER_AREA))
    lead = (2 * reduced - 1).astype(np.float32)
    front = _local_colours(small, np.square(np.maximum(lead, 0)))
    back = _local_colours(small, np.square(np.minimum(lead, 0)))
    mixed = probability.copy()
    for rows, inside, local in at_band(np.dstack([front, back]), band):
        colour = image[rows][inside].astype(np.float32) / np.float32(255)
        mixed[rows][inside] = _weigh(colour, local, mixed[rows][inside])
    return mixed


def _weigh(
    colour: NDArray[np.float32], local: NDArray[np.float32], probability: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Average the opacity that colours (N, 3) say with the network's (N,)."""
    back, line = local[:, 5:8], local[:, :3] - local[:, 5:8]
    length = (line * line).sum(axis=1) + np.float32(1e-6)
    opacity = np.clip(((colour - back) * line).sum(axis=1) / length, 0, 1)
    off = colour - back - opacity[:, None] * line
    spread = opacity * local[:, 3] + (1 - opacity) * local[:, 8] + (off * off).sum(axis=1)
    variance = (spread + local[:, 4] + local[:, 9] + _NOISE) / length
    trust = _TRUST / (_TRUST + variance)
    return np.asarray(trust * opacity + (1 - trust) * probability, dtype=np.float32)


def _local_colours(image: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean colour in the window about each pixel, the colours' variance, and that of the mean: (h, w, 5)."""
    side = 2 * max(1, round(_RADIUS * max(weight.shape) / FRAME)) + 1
    squares = (image * image).sum(axis=2)
    values = np.dstack([image * weight[..., None], squares * weight, weight])
    narrow, wide = (cv2.blur(values, (window, window)) for window in (side, side * _WIDER))
    total = narrow + np.float32(_SHARE) * wide
    amount = total[..., 4:] + np.float32(1e-6)
    mean = total[..., :3] / amount
    variance = np.maximum(total[..., 3:4] / amount - (mean * mean).sum(axis=2, keepdims=True), 0)
    return np.asarray(np.dstack([mean, variance, _FEW / amount]), dtype=np.float32)


def at_band(
    maps: NDArray[np.float32], band: NDArray[np.bool_]
) -> Iterator[tuple[slice, NDArray[np.bool_], NDArray[Any]]]:
    """Enlarge maps to a photograph's size, linearly, strip after strip, so that memory stays small.

    Parameters
    ----------
    maps : ndarray, (h, w, C), float32
        The maps, of the photograph's size or smaller.
    band : ndarray, (H, W), bool
        Pixels that are wanted.

    Yields
    ------
    slice
        Rows of a strip with such pixels.
    ndarray, (rows, W), bool
        The pixels of the strip.
    ndarray, (number of pixels, C)
        Their values.
    """
    height, width = band.shape
    lines = max(1, _STRIP_PIXELS // width)
    for start in range(0, height, lines):
        rows = slice(start, min(height, start + lines))
        inside = band[rows]
        if not inside.any():
            continue
        if maps.shape[:2] == band.shape:
            yield rows, inside, maps[rows][inside]
            continue
        place = ((np.arange(rows.start, rows.stop) + 0.5) * (len(maps) / height) - 0.5).clip(0, len(maps) - 1)
        first = np.floor(place).astype(int)
        share = (place - first).astype(np.float32)[:, None, None]
        strip = (1 - share) * maps[first] + share * maps[np.minimum(first + 1, len(maps) - 1)]
        enlarged = cv2.resize(strip, (width, len(strip)), interpolation=cv2.INTER_LINEAR)
        yield rows, inside, np.asarray(enlarged).reshape(*inside.shape, -1)[inside]
