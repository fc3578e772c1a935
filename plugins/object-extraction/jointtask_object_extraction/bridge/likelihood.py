"""The two likelihoods of object extraction (Eq. 3 and 5), and what the bridge asks of a segmentation."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "BoxPrediction",
    "BoxTask",
    "MaskTarget",
    "MaskTask",
    "box_energy",
    "gaussian_energy",
    "jaccard_distance",
    "mask_energy",
]


class MaskTarget(NamedTuple):
    """The target of M segmentations, for the energy ``scale * sum_j BCE_j + offset``.

    The reference likelihood (Eq. 3) has scale 1 and offset 0. The frame likelihood counts each output by the frame
    area that it stands for, and adds the cost of what lies outside the reference.

    Attributes
    ----------
    mask : Tensor, (M, H, W), bool or floating
        The object inside the reference, 1 on the object.
    scale : Tensor, (M,), float32
        Factor on the summed cross entropy, at least 0.
    offset : Tensor, (M,), float32
        Energy that no segmentation can change, at least 0.
    """

    mask: Tensor
    scale: Tensor
    offset: Tensor


class BoxPrediction(NamedTuple):
    """A box and how sure a network is of it: a Gaussian for each side.

    Attributes
    ----------
    box : Tensor, (B, 4)
        Means of the four sides (x1, y1, x2, y2), in frame units.
    log_scale : Tensor, (B, 4)
        Logarithms of the sides' standard deviations, in frame units.
    """

    box: Tensor
    log_scale: Tensor


_LEAST_SCALE, _GREATEST_SCALE = 2.0, 112.0
"""Bounds of the predicted standard deviations, in frame units; without the lower one the density could grow without
limit."""


def gaussian_energy(prediction: BoxPrediction, reference: Tensor) -> Tensor:
    """Return the negative log density of each reference, without its constant.

    With a standard deviation of ``sqrt(1/2)`` it is `box_energy` and a constant: the paper's Eq. 5.

    Parameters
    ----------
    prediction : BoxPrediction
        Predicted means and standard deviations of B boxes; deviations are held between 2 and 112 frame units.
    reference : Tensor, (B, 4)
        Boxes whose density is asked for, in frame units.

    Returns
    -------
    Tensor, (B,), float32 or better
        In nats, summed over the four sides.
    """
    log_scale = _at_least_float32(prediction.log_scale).clamp(math.log(_LEAST_SCALE), math.log(_GREATEST_SCALE))
    difference = _at_least_float32(prediction.box) - _at_least_float32(reference)
    return (0.5 * (difference * torch.exp(-log_scale)).square() + log_scale).sum(dim=1)


def box_energy(box: Tensor, reference: Tensor) -> Tensor:
    """Return the squared error of each box (Eq. 5, without Caffe's factor 1/2).

    Parameters
    ----------
    box, reference : Tensor, (B, 4)
        Predicted boxes and those that they are compared with, in frame units.

    Returns
    -------
    Tensor, (B,), float32 or better
        In squared frame units, summed over the four sides.
    """
    difference = _at_least_float32(box) - _at_least_float32(reference)
    return difference.square().sum(dim=1)


def mask_energy(logit: Tensor, target: MaskTarget) -> Tensor:
    """Return the cross entropy of each segmentation (Eq. 3), on the target's scale.

    Parameters
    ----------
    logit : Tensor, (M, H, W)
        Log odds of the object at each output.
    target : MaskTarget
        Targets of the same M segmentations.

    Returns
    -------
    Tensor, (M,), float32 or better
        In nats, summed over the outputs.
    """
    logit = _at_least_float32(logit)
    entropy = F.binary_cross_entropy_with_logits(logit, target.mask.to(logit.dtype), reduction="none")
    return target.scale * entropy.sum(dim=(1, 2)) + target.offset


def jaccard_distance(logit: Tensor, mask: Tensor) -> Tensor:
    """Return the soft Jaccard distance of each segmentation: one minus intersection over union, of probabilities.

    Parameters
    ----------
    logit : Tensor, (M, H, W)
        Log odds of the object at each output.
    mask : Tensor, (M, H, W), bool or floating
        1 on the object.

    Returns
    -------
    Tensor, (M,), float32 or better
        In [0, 1]. One output is added to both areas, so that an empty prediction of an empty mask has distance 0.

    Notes
    -----
    Rahman and Wang, "Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation", ISVC 2016.
    """
    probability = _at_least_float32(logit).sigmoid()
    mask = mask.to(probability.dtype)
    intersection = (probability * mask).sum(dim=(1, 2))
    union = (probability + mask - probability * mask).sum(dim=(1, 2))
    return 1 - (intersection + 1) / (union + 1)


class BoxTask(nn.Module):
    """A network whose prediction is a box, (B, 4), in frame units, or a `BoxPrediction`."""

    def energy(self, prediction: Tensor | BoxPrediction, reference: Tensor) -> Tensor:
        """Return the squared error of each box (Eq. 5), (B,), or its negative log density if it has scales."""
        if isinstance(prediction, BoxPrediction):
            return gaussian_energy(prediction, reference)
        return box_energy(prediction, reference)

    def reference(self, prediction: Tensor | BoxPrediction) -> Tensor:
        """Return the predicted box itself, (B, 4), in frame units."""
        return prediction.box if isinstance(prediction, BoxPrediction) else prediction


class MaskTask(nn.Module):
    """A network whose prediction is a map of log odds, (M, H, W).

    Attributes
    ----------
    overlap : float
        Weight of the soft Jaccard distance in the M-step, against the mean cross entropy of an output.
    """

    overlap = 0.0

    def energy(self, prediction: Tensor, target: MaskTarget) -> Tensor:
        """Return the cross entropy of each mask (Eq. 3), (M,): see `mask_energy`."""
        return mask_energy(prediction, target)

    def training_loss(self, prediction: Tensor, target: MaskTarget) -> Tensor:
        """Return the energy and, if `overlap` asks for it, the soft Jaccard distance on its scale, (M,)."""
        energy = self.energy(prediction, target)
        if self.overlap == 0:
            return energy
        outputs = prediction[0].numel()
        return energy + self.overlap * outputs * target.scale * jaccard_distance(prediction, target.mask)


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
