"""Random transformations of frames and boxes for the M-step: mirroring, colour, zoom and jitter."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from attrs import frozen
from torch import Tensor

from jointtask.api import Augmented, Batch, Streams
from jointtask_object_extraction.bridge.crop import enlarge
from jointtask_object_extraction.photograph import FRAME

__all__ = ["Augmentation", "mirror_boxes", "mirror_frames", "recolour"]

_FRAMES = ("image", "mask")

_LUMA = (0.299, 0.587, 0.114)
"""Grey as a mixture of red, green and blue (ITU-R BT.601)."""


def mirror_frames(frames: Tensor, mirrored: Tensor) -> Tensor:
    """Mirror the chosen frames (B, ..., W) left to right; `mirrored` is (B,), bool."""
    chosen = mirrored.view(-1, *[1] * (frames.ndim - 1))
    return torch.where(chosen, frames.flip(-1), frames)


def mirror_boxes(boxes: Tensor, mirrored: Tensor, width: float) -> Tensor:
    """Mirror the half-open boxes (B, K, 4) of the chosen frames left to right; `mirrored` is (B,), bool."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.where(mirrored[:, None, None], torch.stack([width - x2, y1, width - x1, y2], dim=-1), boxes)


def recolour(frames: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Change the saturation, then the contrast, then the brightness of each frame; a factor of 1 changes nothing.

    Parameters
    ----------
    frames : Tensor, (B, 3, H, W), uint8 or floating
        RGB in [0, 255].
    brightness, contrast, saturation : Tensor, (B,), float32
        Factors on the value, on its distance from the frame's mean grey, and on its distance from the pixel's grey.

    Returns
    -------
    Tensor, (B, 3, H, W), float32
        RGB in [0, 255].
    """
    value = frames.float()
    grey = torch.einsum("bchw,c->bhw", value, value.new_tensor(_LUMA))[:, None]
    mean = grey.mean(dim=(2, 3), keepdim=True)
    b, c, s = (factor.to(value)[:, None, None, None] for factor in (brightness, contrast, saturation))
    offset = (b * c * (1 - s)) * grey + (b * (1 - c)) * mean
    return torch.addcmul(offset, b * c * s, value).clamp_(0, 255)


@frozen
class Augmentation:
    """What the M-step changes at random.

    Attributes
    ----------
    flip : bool
        Whether examples are mirrored left to right, with probability 1/2.
    colour : float
        Largest relative change of brightness, contrast and saturation.
    zoom : (float, float)
        Smallest and largest factor on the sides of the box that the downstream task sees, about its centre.
    jitter : float
        Largest displacement of a side of that box, in frame units.
    """

    flip: bool = False
    colour: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    jitter: float = 0.0

    def __call__(
        self,
        batch: Batch,
        reference: Tensor,
        random: Streams,
        *,
        admit: Callable[[Tensor], Tensor],
    ) -> Augmented:
        """Transform examples and their references (B, K, 4).

        Each row draws 4 + 5 K uniform numbers, whatever the settings, so that a setting does not change what the
        others draw: one for mirroring, three for colour, four a reference for its sides, and one a reference for zoom.

        Parameters
        ----------
        batch : Batch
            Examples, with an `image`; it becomes float32 in [0, 255] if colours change.
        reference : Tensor, (B, K, 4)
            Boxes in frame units.
        random : Streams
            Source of random numbers.
        admit : callable
            Function from any boxes to the nearest usable ones.
        """
        drawn = random.uniform(4 + 5 * reference.shape[1]).to(reference)
        sides, zoom = drawn[:, 4 : -reference.shape[1]], drawn[:, -reference.shape[1] :]
        changed = dict(batch)
        if self.flip:
            mirrored = drawn[:, 0] < 0.5
            changed |= {key: mirror_frames(changed[key], mirrored) for key in _FRAMES if key in changed}
            if "box" in changed:
                changed["box"] = mirror_boxes(changed["box"][:, None], mirrored, FRAME)[:, 0]
            reference = mirror_boxes(reference, mirrored, FRAME)
        if self.colour:
            changed["image"] = recolour(changed["image"], *(1 + self.colour * (2 * drawn[:, 1:4] - 1)).unbind(1))
        conditioned = reference
        if self.zoom != (1.0, 1.0):
            least, most = map(math.log, self.zoom)
            factor = torch.exp(least + (most - least) * zoom)[..., None]
            conditioned = admit(enlarge(conditioned, factor))
        if self.jitter:
            conditioned = admit(conditioned + self.jitter * (2 * sides.view_as(reference) - 1))
        return Augmented(changed, reference, conditioned)
