"""Generated scenes: one salient object on a ground, both textured by the photographs that scikit-image carries.

What tells the object from the ground is its material (pieces of colour photographs, against gravel, grass and bricks
tinted in the same colours), a soft rim, and shading as of a solid. Brightness and contrast do not: patches of ground in
other colours, broad shadows and lighting see to that.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from jointtask.api import derive
from jointtask_object_extraction.data.synthetic_scenes.materials import Materials, Pixels
from jointtask_object_extraction.data.synthetic_scenes.shape import draw_shape

__all__ = ["make_scene"]

_SIZES = ((210, 280), (280, 210), (240, 240), (200, 300))
"""Heights and widths of the scenes."""

_COARSE = 4
"""Slowly varying fields (light, relief) are computed on every fourth pixel and enlarged."""

_MOST_GAIN = 2.0
"""Largest gain on a piece of a photograph: more would saturate dark pieces."""


def make_scene(materials: Materials, seed: int, index: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Make one scene, which depends on the arguments alone.

    Parameters
    ----------
    materials : Materials
        The photographs that scenes of this split may be made of.
    seed : int
        The data set's seed.
    index : int
        The scene's position in the split.

    Returns
    -------
    image : ndarray, (H, W, 3), uint8
        RGB.
    mask : ndarray, (H, W), bool
        True on the object.
    """
    random = np.random.Generator(np.random.Philox(key=derive("synthetic-objects", seed, materials.split, index)))
    height, width = _SIZES[random.integers(len(_SIZES))]
    kind = int(random.integers(len(materials.objects)))
    # half of the grounds have the object's own colours
    scene = _ground(materials, height, width, random, kind if random.random() < 0.5 else None)
    for _ in range(random.integers(2, 5)):
        _paint_patch(scene, materials, random)
    scene *= _light(height, width, random)
    mask = _paint_object(scene, materials.objects[kind], random)
    if random.random() < 0.3:
        sigma = random.uniform(0.4, 0.8)
        for plane in scene:
            cv2.GaussianBlur(plane, (0, 0), sigma, dst=plane)
    noise = np.frombuffer(random.bytes(height * width), np.int8).astype(np.float32)
    scene += random.uniform(0.0001, 0.0004) * noise.reshape(height, width)
    levels = (scene.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0)), mask


def _paint_patch(scene: Pixels, materials: Materials, random: np.random.Generator) -> None:
    """Paint a flat piece of ground in another colour, which colour contrast alone would take for an object."""
    height, width = scene.shape[1:]
    mask = draw_shape(height, width, random, sides=(0.12, 0.33))
    window = _window(mask, margin=3)
    inside, target = mask[window], scene[:, *window]
    patch = _ground(materials, inside.shape[0], inside.shape[1], random)
    target += random.uniform(0.8, 1.0) * _soft(inside, 1.0) * (patch - target)


def _paint_object(scene: Pixels, photograph: Pixels, random: np.random.Generator) -> NDArray[np.bool_]:
    """Paint the object and the shadow that it casts; return its mask."""
    height, width = scene.shape[1:]
    mask = draw_shape(height, width, random, sides=(0.4, 0.75))
    size = float(np.sqrt(mask.sum()))
    window = _window(mask, margin=round(0.3 * size))
    inside, target = mask[window], scene[:, *window]
    height, width = inside.shape
    brightness = float(scene.mean())

    angle = random.uniform(0, 2 * np.pi)
    light = np.array([np.cos(angle), np.sin(angle)])
    move = np.array([[1, 0, -0.08 * size * light[0]], [0, 1, -0.08 * size * light[1]]])
    shadow = cv2.warpAffine(_soft(inside, 0.06 * size), move, (width, height))
    target *= 1 - random.uniform(0.2, 0.6) * np.asarray(shadow)

    piece = _texture(photograph, height, width, random, step=(0.7, 1.3))
    solid = np.ascontiguousarray(piece.transpose(2, 0, 1))
    grey = solid.mean(axis=0)
    solid = grey + random.uniform(0.6, 1.1) * (solid - grey)
    solid *= min(random.uniform(0.75, 1.25) * brightness / max(float(grey[inside].mean()), 0.01), _MOST_GAIN)
    solid *= _shading(inside, size, light, random.uniform(0.4, 0.7))
    target += _soft(inside, random.uniform(0.6, 1.2)) * (solid - target)
    return mask


def _window(mask: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Return the rows and columns of a mask's box, widened by a margin inside the frame."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return slice(max(y - margin, 0), y + height + margin), slice(max(x - margin, 0), x + width + margin)


def _texture(
    photograph: Pixels, height: int, width: int, random: np.random.Generator, *, step: tuple[float, float]
) -> Pixels:
    """Cut a piece out of a photograph at a random place, angle and scale; it is mirrored at its edges."""
    rows, columns = photograph.shape[:2]
    turn, scale = random.uniform(0, 2 * np.pi), random.uniform(*step)
    a, b = scale * np.cos(turn), scale * np.sin(turn)
    x, y = random.uniform(0, columns), random.uniform(0, rows)
    inverse = np.array([[a, -b, x - a * width / 2 + b * height / 2], [b, a, y - b * width / 2 - a * height / 2]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    piece = cv2.warpAffine(photograph, inverse, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(piece, dtype=np.float32)


def _ground(
    materials: Materials, height: int, width: int, random: np.random.Generator, like: int | None = None
) -> Pixels:
    """Make a piece of ground in a colour like an object's, of any kind or the one named, (3, H, W)."""
    kind = random.integers(len(materials.colours)) if like is None else like
    colour = materials.colours[kind] * random.uniform(0.8, 1.2, 3)
    colour = (colour * random.uniform(0.25, 0.6) / colour.mean()).astype(np.float32)
    relief = _texture(
        materials.grounds[random.integers(len(materials.grounds))], height, width, random, step=(1.2, 2.0)
    )
    relief *= random.uniform(0.3, 0.45)
    return np.asarray(colour[:, None, None] * np.maximum(1 + relief, 0), dtype=np.float32)


def _light(height: int, width: int, random: np.random.Generator) -> Pixels:
    """Make light that changes over the scene, with a broad soft-edged shadow, (H, W)."""
    y, x = np.mgrid[0 : height // _COARSE, 0 : width // _COARSE] * (_COARSE / max(height, width)) - 0.5
    angles = random.uniform(0, 2 * np.pi, 2)
    slope = random.uniform(0, 0.6) * (x * np.cos(angles[0]) + y * np.sin(angles[0]))
    edge = x * np.cos(angles[1]) + y * np.sin(angles[1]) - random.uniform(-0.3, 0.3)
    light = (1 + slope) * (1 - random.uniform(0, 0.5) / (1 + np.exp(-edge * random.uniform(10, 40))))
    return np.asarray(cv2.resize(light, (width, height)), dtype=np.float32)


def _shading(mask: NDArray[np.bool_], size: float, light: NDArray[np.float64], strength: float) -> Pixels:
    """Shade the object as a solid whose height is the blurred mask, (H, W)."""
    height, width = mask.shape
    coarse = cv2.resize(mask.astype(np.float32), (width // _COARSE, height // _COARSE), interpolation=cv2.INTER_AREA)
    relief = np.asarray(cv2.GaussianBlur(coarse, (0, 0), 0.12 * size / _COARSE))
    slope_y, slope_x = np.gradient(relief)
    lit = (slope_x * light[0] + slope_y * light[1]) * (-1.2 * size / _COARSE)
    shade = 1 + strength * (np.clip(lit, -1, 1) + 0.6 * (relief - 0.8))
    return np.asarray(cv2.resize(shade, (width, height)), dtype=np.float32)


def _soft(mask: NDArray[np.bool_], sigma: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma), dtype=np.float32)
