"""The two energies of event detection, and the target that the bridge gives a labelling."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["IntervalPrediction", "LabelTarget", "interval_energy", "label_energy"]

_LEAST_SCALE, _GREATEST_SCALE = 1.0, 128.0
"""Standard deviations are held between these, in samples: a scale that collapses would explain nothing away."""


class IntervalPrediction(NamedTuple):
    """An interval and how sure a network is of it: a Gaussian for each end.

    Attributes
    ----------
    interval : Tensor, (B, 2)
        Onset and offset, in samples.
    log_scale : Tensor, (B, 2)
        Logarithm of their standard deviations, in samples.
    """

    interval: Tensor
    log_scale: Tensor


class LabelTarget(NamedTuple):
    """The target of M labellings, for the energy ``scale * sum_j BCE_j + offset``.

    Attributes
    ----------
    label : Tensor, (M, O), float32
        1 on the event.
    scale : Tensor, (M,), float32
        Factor on the summed cross entropy.
    offset : Tensor, (M,), float32
        Energy of the samples outside the reference, which no labelling can change.
    """

    label: Tensor
    scale: Tensor
    offset: Tensor


def interval_energy(prediction: IntervalPrediction, reference: Tensor) -> Tensor:
    """Return the negative log density of references (B, 2), without its constant: (B,), in nats.

    Standard deviations are held between 1 and 128 samples.
    """
    log_scale = prediction.log_scale.clamp(math.log(_LEAST_SCALE), math.log(_GREATEST_SCALE))
    difference = (prediction.interval - reference) * torch.exp(-log_scale)
    return (0.5 * difference.square() + log_scale).sum(dim=1)


def label_energy(logit: Tensor, target: LabelTarget) -> Tensor:
    """Return the cross entropy of labellings (M, O), log odds of the event: (M,), in nats, on the target's scale."""
    entropy = F.binary_cross_entropy_with_logits(logit, target.label, reduction="none")
    return target.scale * entropy.sum(dim=1) + target.offset
