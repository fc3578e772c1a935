"""The data-driven proposal term: references whose border runs along superpixel boundaries (section 3.2)."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping

import numpy as np
import torch
from attrs import field, frozen
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries, slic
from torch import Tensor
from torch.nn import functional as F

from jointtask.api import Batch, Context, History
from jointtask_object_extraction.photograph import FRAME
from jointtask_object_extraction.settings import SuperpixelBoundary

__all__ = ["NAME", "SuperpixelBoundaryTerm", "border_pixels", "superpixel_boundary", "unpack_boundaries"]

NAME = "superpixel-boundary"

_FLOOR = 1e-3
"""Addend to the share of boundary points, so that every reference can be proposed."""

_POINTS_AT_ONCE = 1 << 18
"""Border points looked up together; more would not fit into the processor's cache."""


def superpixel_boundary(settings: SuperpixelBoundary, context: Context) -> SuperpixelBoundaryTerm:
    """Build the term; it needs nothing from the other components."""
    return SuperpixelBoundaryTerm(settings.points, settings.segments, settings.compactness, settings.iterations)


@frozen(eq=False)
class SuperpixelBoundaryTerm:
    """``log(P_c + 1e-3)``, P_c the share of c border points that lie on a superpixel boundary.

    Attributes
    ----------
    points : int
        Number of points along the border of a reference, c.
    segments : int
        Approximate number of superpixels of an image.
    compactness : float
        Compactness of SLIC (Achanta et al., TPAMI 2012): larger values give squarer superpixels.
    iterations : int
        Greatest number of SLIC's iterations.
    """

    points: int
    segments: int
    compactness: float
    iterations: int = 10
    prepares: bool = field(default=True, init=False)
    version: str = field(factory=lambda: f"1 scikit-image {importlib.metadata.version('scikit-image')}", init=False)

    def prepare(self, example: Mapping[str, Tensor]) -> NDArray[np.uint8]:
        """Return the boundary map of one example's superpixels, one bit a pixel.

        A pixel is on a boundary if one of its four neighbours belongs to another superpixel, so boundaries are two
        pixels wide. Ten iterations take about 70 ms of one core, and let go of Python's global lock for most of them.

        Parameters
        ----------
        example : mapping
            Example with `image`, a (3, F, F) uint8 RGB frame.

        Returns
        -------
        ndarray, (F * F / 8,), uint8
            Rows from the top, lowest bit first.
        """
        image = example["image"].permute(1, 2, 0).numpy(force=True)
        label = slic(image, self.segments, compactness=self.compactness, max_num_iter=self.iterations, start_label=1)
        boundary = find_boundaries(label, mode="thick")  # type: ignore[no-untyped-call]  # scikit-image has no types
        return np.packbits(boundary, bitorder="little")

    def log_weight(self, batch: Batch, reference: Tensor, history: History) -> Tensor:
        """Return ``log(P_c + 1e-3)`` of references (B, N, 4): (B, N), float64, on the CPU.

        Points outside the frame are on no boundary. The points of a reference are counted in integers and the
        logarithm is looked up, so a row's result does not depend on the batch.
        """
        # A margin of zeros takes in the points outside the frame.
        boundary = F.pad(unpack_boundaries(batch[NAME]), (1, 1, 1, 1)).flatten(1)
        step = max(1, _POINTS_AT_ONCE // (len(boundary) * self.points))
        count = torch.cat([self._count(boundary, some) for some in torch.split(reference, step, dim=1)], dim=1)
        share = torch.arange(self.points + 1, dtype=torch.float64) / self.points
        return torch.log(share + _FLOOR)[count.cpu()]

    def _count(self, boundary: Tensor, reference: Tensor) -> Tensor:
        x, y = border_pixels(reference, self.points)
        index = (y.clamp_(-1, FRAME) + 1) * (FRAME + 2) + (x.clamp_(-1, FRAME) + 1)
        hit = boundary.gather(1, index.long().flatten(1)).view_as(index)
        return hit.sum(dim=-1)


def border_pixels(reference: Tensor, points: int) -> tuple[Tensor, Tensor]:
    """Return the columns and rows of the pixels at equal distances along the border of boxes.

    The border of a half-open box is the rectangle through the centres of its outermost pixels: its right side runs in
    pixel column x2 - 1. The first point is the top left corner, and they follow clockwise.

    Parameters
    ----------
    reference : Tensor, (..., 4), float32
        Boxes (x1, y1, x2, y2) in frame units.
    points : int
        Number of points on the border of each box, c.

    Returns
    -------
    x, y : Tensor, (..., c), float32
        Whole numbers, which lie outside the frame where the border does.
    """
    x1, y1, x2, y2 = reference[..., None].unbind(-2)
    width, height = (x2 - x1 - 1).clamp(min=0), (y2 - y1 - 1).clamp(min=0)
    share = torch.arange(points, dtype=reference.dtype, device=reference.device) / points
    way = 2 * (width + height) * share
    back = way - (width + height)
    x = torch.minimum(way, width).sub_(torch.minimum(back.clamp(min=0), width))
    y = torch.minimum((way - width).clamp_(min=0), height).sub_((back - width).clamp_(min=0))
    return x.add_(x1 + 0.5).floor_(), y.add_(y1 + 0.5).floor_()


def unpack_boundaries(packed: Tensor) -> Tensor:
    """Unpack boundary maps (B, F * F / 8), uint8, lowest bit first, to (B, F, F) of 0 and 1, uint8."""
    bits = torch.arange(8, dtype=torch.uint8, device=packed.device)
    return ((packed[..., None] >> bits) & 1).view(-1, FRAME, FRAME)
