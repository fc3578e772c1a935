"""Random outlines: blobs, polygons, ellipses with bites, bodies with limbs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_shape"]

_SUBPIXEL = 4
"""Bits of sub-pixel position in OpenCV's drawing functions."""

Points = NDArray[np.float64]

_ANGLES = np.linspace(0, 2 * np.pi, 96, endpoint=False)
_CIRCLE: Points = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


def draw_shape(
    height: int, width: int, random: np.random.Generator, *, sides: tuple[float, float]
) -> NDArray[np.bool_]:
    """Draw one random shape somewhere in a frame.

    Parameters
    ----------
    height, width : int
        Size of the frame, in pixels.
    random : numpy.random.Generator
        The generator of all random numbers.
    sides : (float, float)
        Smallest and largest side of the shape's box, as a share of the frame's side, before bites.

    Returns
    -------
    ndarray, (height, width), bool
        True on the shape.
    """
    kind = random.integers(4)
    parts = [_blob, _polygon, _ellipse, _body][kind](random)
    turn = random.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    parts = [part @ rotation for part in parts]
    low, high = np.concatenate(parts).min(axis=0), np.concatenate(parts).max(axis=0)

    stretch = np.exp(random.uniform(-0.3, 0.3))
    share = np.clip(random.uniform(*sides) * np.array([stretch, 1 / stretch]), *sides)
    corner = random.beta(0.6, 0.6, 2) * (1 - share)  # off-centre, so that the frame's centre is no good guess
    frame = np.array([width, height])
    parts = [((part - low) / (high - low) * share + corner) * frame for part in parts]

    mask = np.zeros((height, width), np.uint8)
    for part in parts:
        cv2.fillPoly(mask, [np.round(part * 2**_SUBPIXEL).astype(np.int32)], 1, shift=_SUBPIXEL)
    for _ in range(random.integers(1, 3) if kind == 2 else 0):
        _bite(mask, parts[0], random)
    return mask.astype(bool)


def _blob(random: np.random.Generator) -> list[Points]:
    order = np.arange(2, 6)
    size, phase = random.normal(0, 0.3, 4) / order, random.uniform(0, 2 * np.pi, 4)
    radius = 1 + np.cos(_ANGLES[:, None] * order + phase) @ size
    return [_CIRCLE * np.maximum(radius, 0.3)[:, None]]


def _polygon(random: np.random.Generator) -> list[Points]:
    """Return a polygon whose corners are rounded by smoothing its outline."""
    count = random.integers(4, 8)
    angle = (np.arange(count) + random.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
    corners = np.stack([np.cos(angle), np.sin(angle)], axis=1) * random.uniform(0.7, 1.1, (count, 1))
    step = np.linspace(0, 1, 24, endpoint=False)[None, :, None]
    outline = (corners[:, None] * (1 - step) + np.roll(corners, -1, axis=0)[:, None] * step).reshape(-1, 2)
    nearby = (np.arange(len(outline))[:, None] + np.arange(-4, 5)) % len(outline)
    return [outline[nearby].mean(axis=1)]


def _ellipse(random: np.random.Generator) -> list[Points]:
    return [_CIRCLE * np.array([1.0, random.uniform(0.5, 1.0)])]


def _body(random: np.random.Generator) -> list[Points]:
    """Return a body with two to four limbs, thinner towards their ends."""
    body = _CIRCLE * np.array([1.0, random.uniform(0.55, 0.9)])
    angles = random.uniform(0, 2 * np.pi) + np.cumsum(random.uniform(0.7, 1.8, random.integers(2, 5)))
    return [body, *(_limb(angle, random) for angle in angles)]


def _limb(angle: float, random: np.random.Generator) -> Points:
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    tip = random.uniform(1.15, 1.45) * along
    at_root, at_tip = random.uniform(0.25, 0.4) * across, random.uniform(0.15, 0.25) * across
    return np.stack([at_root, tip + at_tip, tip - at_tip, -at_root])


def _bite(mask: NDArray[np.uint8], outline: Points, random: np.random.Generator) -> None:
    centre = outline[random.integers(len(outline))]
    radius = random.uniform(0.12, 0.22) * np.sqrt(mask.sum())
    at = np.round(centre * 2**_SUBPIXEL).astype(int)
    cv2.circle(mask, (int(at[0]), int(at[1])), round(radius * 2**_SUBPIXEL), 0, -1, shift=_SUBPIXEL)
