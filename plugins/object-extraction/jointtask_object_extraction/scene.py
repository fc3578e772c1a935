"""Generated scenes: one salient object on a ground, both textured by the photographs that scikit-image carries.

What tells the object from the ground is its material (pieces of colour photographs, against gravel, grass and bricks
tinted in the same colours), a soft rim, and shading as of a solid. Brightness and contrast do not: patches of ground in
other colours, broad shadows and lighting see to that.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
import skimage
from attrs import frozen
from numpy.typing import NDArray

from jointtask.errors import DataError
from jointtask.randomness import derive
from jointtask_object_extraction.shape import draw_shape

__all__ = ["Materials", "Split", "load_materials", "make_scene"]

Split = Literal["train", "validation", "test"]
Pixels = NDArray[np.float32]

_VERSION = 1
"""Raised with every change of what a seed gives."""

_SHARES: dict[Split, tuple[float, float]] = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}
"""The part of each photograph, from left to right, that a split may see."""

_SIZES = ((240, 320), (320, 240), (256, 256), (224, 336))
"""Heights and widths of the scenes."""


class _Region(NamedTuple):
    """The part of a photograph that shows material, in pixels."""

    file: str
    top: int
    bottom: int
    left: int
    right: int


_OBJECTS = (
    _Region("astronaut.png", 190, 512, 0, 512),
    _Region("chelsea.png", 0, 300, 0, 360),
    _Region("coffee.png", 20, 390, 90, 480),
    _Region("ihc.png", 0, 512, 0, 512),
    _Region("motorcycle_left.png", 90, 430, 150, 741),
    _Region("retina.jpg", 300, 1100, 250, 1150),
)
_GROUNDS = (
    _Region("brick.png", 0, 512, 0, 512),
    _Region("grass.png", 0, 512, 0, 512),
    _Region("gravel.png", 0, 512, 0, 512),
)


@frozen(eq=False)
class Materials:
    """What the scenes of one split are made of.

    Attributes
    ----------
    split : str
        The split that may see it.
    objects : tuple of ndarray, (H, W, 3), float32
        Colour photographs, in [0, 1].
    grounds : tuple of ndarray, (H, W, 3), float32
        Grey photographs of gravel, grass and bricks, mean 0 and standard deviation 1.
    digest : str
        Of the photographs and of the generator's version.
    """

    split: Split
    objects: tuple[Pixels, ...]
    grounds: tuple[Pixels, ...]
    digest: str


@cache
def load_materials(split: Split) -> Materials:
    """Read the photographs inside the installed scikit-image; nothing is downloaded.

    Raises
    ------
    DataError
        If scikit-image is installed without them.
    """
    digest = hashlib.blake2b(f"synthetic-objects {_VERSION}".encode(), digest_size=16)
    objects = tuple(_read(region, split, digest) for region in _OBJECTS)
    grounds = tuple(_read(region, split, digest) for region in _GROUNDS)
    grounds = tuple((ground - ground.mean()) / ground.std() for ground in grounds)
    return Materials(split, objects, grounds, digest.hexdigest())


def _read(region: _Region, split: Split, digest: hashlib.blake2b) -> Pixels:
    path = Path(skimage.__file__).parent / "data" / region.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"synthetic-objects: cannot read {path}",
            cause=str(error),
            remedy="install the scikit-image wheel, which carries its photographs: pip install --force-reinstall scikit-image",
        ) from error
    digest.update(content)
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    start, end = (region.left + round(share * (region.right - region.left)) for share in _SHARES[split])
    return np.ascontiguousarray(image[region.top : region.bottom, start:end], dtype=np.float32) / 255


def make_scene(materials: Materials, seed: int, index: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Make one scene, which depends on the arguments alone.

    Parameters
    ----------
    materials : Materials
        Of the scene's split.
    seed : int
        Of the data set.
    index : int
        Position in the split.

    Returns
    -------
    image : ndarray, (H, W, 3), uint8
        RGB.
    mask : ndarray, (H, W), bool
        True on the object.
    """
    random = np.random.Generator(np.random.Philox(key=derive("synthetic-objects", seed, materials.split, index)))
    height, width = _SIZES[random.integers(len(_SIZES))]
    tints = [_tint(materials, random) for _ in range(2)]
    scene = _ground(materials, tints[0], height, width, random)
    for _ in range(random.integers(2, 5)):
        patch = _soft(draw_shape(height, width, random, sides=(0.12, 0.4)), 1.0)[:, :, None]
        patch *= random.uniform(0.6, 1.0)
        tint = tints[1] if random.random() < 0.5 else _tint(materials, random)
        scene += patch * (_ground(materials, tint, height, width, random) - scene)
    scene *= _light(height, width, random)[:, :, None]

    mask = draw_shape(height, width, random, sides=(0.3, 0.75))
    size = float(np.sqrt(mask.sum()))
    angle = random.uniform(0, 2 * np.pi)
    light = np.array([np.cos(angle), np.sin(angle)])
    shadow = _shift(_soft(mask, 0.06 * size), -0.08 * size * light)
    scene *= 1 - random.uniform(0.2, 0.6) * shadow[:, :, None]
    solid = _texture(materials.objects[random.integers(len(materials.objects))], height, width, random)
    solid = _match(solid, mask, scene.mean(), random)
    solid *= _shading(mask, size, light, random.uniform(0.3, 0.7))[:, :, None]
    alpha = _soft(mask, random.uniform(0.6, 1.2))[:, :, None]
    scene += alpha * (solid - scene)

    if random.random() < 0.3:
        scene = cv2.GaussianBlur(scene, (0, 0), random.uniform(0.4, 0.8))
    scene += random.uniform(0.005, 0.03) * random.standard_normal((height, width, 1), dtype=np.float32)
    return (scene.clip(0, 1) * 255 + 0.5).astype(np.uint8), mask


def _texture(photograph: Pixels, height: int, width: int, random: np.random.Generator) -> Pixels:
    """Cut a piece out of a photograph at a random place, angle and scale; its edges are mirrored."""
    rows, columns = photograph.shape[:2]
    turn, scale = random.uniform(0, 2 * np.pi), random.uniform(0.7, 1.3) * min(1.0, rows / height)
    a, b = scale * np.cos(turn), scale * np.sin(turn)
    x, y = random.uniform(0, columns), random.uniform(0, rows)
    inverse = np.array([[a, -b, x - a * width / 2 + b * height / 2], [b, a, y - b * width / 2 - a * height / 2]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(photograph, inverse, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)  # type: ignore[return-value]


def _tint(materials: Materials, random: np.random.Generator) -> Pixels:
    """Draw a colour near the mean of an object's photograph, so that colour alone tells nothing."""
    photograph = materials.objects[random.integers(len(materials.objects))]
    colour = photograph.mean(axis=(0, 1)) * random.uniform(0.8, 1.2, 3)
    return (colour * random.uniform(0.3, 0.6) / colour.mean()).astype(np.float32)


def _ground(materials: Materials, tint: Pixels, height: int, width: int, random: np.random.Generator) -> Pixels:
    photograph = materials.grounds[random.integers(len(materials.grounds))]
    relief = _texture(photograph, height, width, random)
    return tint * np.maximum(1 + random.uniform(0.25, 0.45) * relief, 0)


def _light(height: int, width: int, random: np.random.Generator) -> Pixels:
    """Light that changes over the scene, with a broad shadow whose edge is soft, (H, W)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(height, width) - 0.5
    angles = random.uniform(0, 2 * np.pi, 2)
    slope = random.uniform(0, 0.6) * (x * np.cos(angles[0]) + y * np.sin(angles[0]))
    edge = x * np.cos(angles[1]) + y * np.sin(angles[1]) - random.uniform(-0.3, 0.3)
    depth = random.uniform(0, 0.5)
    return (1 + slope) * (1 - depth / (1 + np.exp(-edge * random.uniform(10, 60))))  # type: ignore[no-any-return]


def _match(solid: Pixels, mask: NDArray[np.bool_], brightness: float, random: np.random.Generator) -> Pixels:
    """Give the object about the brightness of the ground, and colours of its own strength."""
    grey = solid.mean(axis=2, keepdims=True)
    solid = grey + random.uniform(0.6, 1.1) * (solid - grey)
    return solid * (random.uniform(0.75, 1.35) * brightness / max(float(solid[mask].mean()), 0.05))


def _shading(mask: NDArray[np.bool_], size: float, light: NDArray[np.float64], strength: float) -> Pixels:
    """Shade the object as a solid whose height is the blurred mask, (H, W)."""
    height = _soft(mask, 0.12 * size)
    slope_y, slope_x = np.gradient(height)
    lit = (slope_x * light[0] + slope_y * light[1]) * (-0.3 * size)
    return 1 + strength * (np.clip(lit * 4, -1, 1) + 0.6 * (height - 0.8))


def _soft(mask: NDArray[np.bool_], sigma: float) -> Pixels:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)  # type: ignore[return-value]


def _shift(image: Pixels, by: NDArray[np.float64]) -> Pixels:
    matrix = np.array([[1, 0, by[0]], [0, 1, by[1]]])
    return cv2.warpAffine(image, matrix, image.shape[::-1])  # type: ignore[return-value]
