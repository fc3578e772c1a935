"""How a scene is made: a rotated digit in the middle of a frame, other digits reaching in from the sides.

Distances are in frame pixels, x to the right and y downwards; a positive angle turns counterclockwise, as seen.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from attrs import frozen
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

__all__ = ["CROP", "FRAME", "Scene", "crop", "place", "polar"]

FRAME = 40
"""Side of the frame, in pixels."""

CROP = 20
"""Side of what is cut out upright from the middle of the frame, in pixels: the digit fills it."""


@frozen(eq=False)
class Scene:
    """One example at its own size, which is the frame's.

    Attributes
    ----------
    id : str
        Name of the scene in the data set.
    image : ndarray, (40, 40), uint8
        Ink is bright.
    digit : int
        0 to 9.
    angle : float
        Rotation of the digit, in degrees: the truth of the angle error.
    annotated : float
        Rotation as annotated, in degrees.
    """

    id: str
    image: NDArray[np.uint8]
    digit: int
    angle: float
    annotated: float


def crop(image: Tensor, angle: Tensor, side: int = CROP) -> Tensor:
    """Undo rotations about the middle of frames, and cut out squares there.

    Parameters
    ----------
    image : Tensor, (B, F, F)
        Floating.
    angle : Tensor, (B, K)
        Rotation in degrees of what is to be seen upright.
    side : int
        Side of the squares, in pixels.

    Returns
    -------
    Tensor, (B, K, side, side)
        Bilinear; 0 outside the frame.
    """
    examples, count = angle.shape
    centred = (torch.arange(side, dtype=image.dtype, device=image.device) - (side - 1) / 2) * (2 / image.shape[-1])
    v, u = torch.meshgrid(centred, centred, indexing="ij")
    radians = torch.deg2rad(angle)[..., None, None]
    cosine, sine = torch.cos(radians), torch.sin(radians)
    grid = torch.stack([u * cosine + v * sine, v * cosine - u * sine], dim=-1)
    grid = grid.reshape(examples, count * side, side, 2)
    seen = F.grid_sample(image[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return seen.reshape(examples, count, side, side)


def polar(image: Tensor, radii: int, angles: int) -> Tensor:
    """Read frames along rays from their middle: a rotation of the digit becomes a shift of the rays.

    Parameters
    ----------
    image : Tensor, (B, F, F)
        Floating.
    radii : int
        Points on a ray, at equal distances up to the corners of an upright crop.
    angles : int
        Rays; the first goes up, and they follow counterclockwise.

    Returns
    -------
    Tensor, (B, radii, angles)
        Bilinear.
    """
    reach = CROP / math.sqrt(2)
    radius = (torch.arange(radii, dtype=image.dtype, device=image.device) + 0.5) * (reach / radii)
    turn = torch.arange(angles, dtype=image.dtype, device=image.device) * (2 * math.pi / angles)
    ray = torch.stack([-torch.sin(turn), -torch.cos(turn)], dim=-1)
    grid = radius[:, None, None] * ray * (2 / image.shape[-1])
    grid = grid.expand(len(image), -1, -1, -1)
    return F.grid_sample(image[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[:, 0]


def place(digit: Tensor, angle: Tensor, middle: Tensor, side: Tensor) -> Tensor:
    """Draw digits into a frame each.

    Parameters
    ----------
    digit : Tensor, (M, 8, 8), float32
        Upright digit.
    angle : Tensor, (M,)
        Rotation of each piece, in degrees.
    middle : Tensor, (M, 2)
        Middle of each piece, (x, y) from the middle of the frame, in pixels.
    side : Tensor, (M,)
        Side at which each piece is drawn, in pixels.

    Returns
    -------
    Tensor, (M, 40, 40)
        Bilinear; 0 where there is no digit.
    """
    centred = torch.arange(FRAME, dtype=digit.dtype) - (FRAME - 1) / 2
    y, x = torch.meshgrid(centred, centred, indexing="ij")
    x, y = x - middle[:, 0, None, None], y - middle[:, 1, None, None]
    radians = torch.deg2rad(angle)[:, None, None]
    cosine, sine = torch.cos(radians), torch.sin(radians)
    grid = torch.stack([x * cosine - y * sine, x * sine + y * cosine], dim=-1) * (2 / side[:, None, None, None])
    return F.grid_sample(digit[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[:, 0]
