"""What the bridge asks of a segmentation: a mask, and where on the energy scale its error stands."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["MaskTarget"]


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
