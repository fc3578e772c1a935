"""The compact networks: small, trained from nothing in a minute on two cores."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jointtask.component import Context
from jointtask.task import Batch
from jointtask_object_extraction.layers import Standardise
from jointtask_object_extraction.likelihood import MaskTarget, box_energy, mask_energy
from jointtask_object_extraction.photograph import FRAME
from jointtask_object_extraction.settings import Localization, Segmentation
from jointtask_object_extraction.weights import MOBILENET_V2

__all__ = ["CompactLocalization", "CompactSegmentation", "compact_localization", "compact_segmentation"]

_WIDTHS = (16, 32, 48)
_GROUPS = 8


def compact_localization(settings: Localization, context: Context) -> nn.Module:
    """Make the compact localization network."""
    return CompactLocalization()


def compact_segmentation(settings: Segmentation, context: Context) -> nn.Module:
    """Make the compact segmentation network."""
    return CompactSegmentation()


class _Convolution(nn.Sequential):
    """A convolution, normalised over groups of channels (the same in training and in the E-step), and rectified."""

    def __init__(self, channels: int, width: int, kernel: int = 3, *, stride: int = 1, dilation: int = 1) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            nn.Conv2d(channels, width, kernel, stride, padding, dilation),
            nn.GroupNorm(_GROUPS, width),
            nn.ReLU(),
        )


class _Residual(nn.Module):
    def __init__(self, width: int, *, dilation: int) -> None:
        super().__init__()
        self.change = _Convolution(width, width, dilation=dilation)

    def forward(self, maps: Tensor) -> Tensor:
        changed: Tensor = maps + self.change(maps)
        return changed


class Trunk(nn.Module):
    """Maps of a quarter of the image's side, each place of which knows the whole image.

    Three halvings, a wide view by dilation and by the mean over all places, and one doubling.

    Attributes
    ----------
    width : int
        Number of maps.
    """

    def __init__(self) -> None:
        super().__init__()
        first, second, third = _WIDTHS
        self.width = second
        self.standardise = Standardise(MOBILENET_V2, white=1)
        self.to_half = _Convolution(3, first, 5, stride=2)
        self.to_quarter = _Convolution(first, second, stride=2)
        self.to_eighth = nn.Sequential(
            _Convolution(second, third, stride=2), _Residual(third, dilation=1), _Residual(third, dilation=2)
        )
        self.overall = nn.Linear(third, third)
        self.narrow = nn.Conv2d(third, second, 1)
        self.join = _Convolution(second, second)

    def forward(self, image: Tensor) -> Tensor:
        """Map RGB images (B, 3, H, W) in [0, 1] to (B, width, H / 4, W / 4)."""
        quarter = self.to_quarter(self.to_half(self.standardise(image)))
        eighth = self.to_eighth(quarter)
        eighth = F.relu(eighth + self.overall(eighth.mean(dim=(2, 3)))[:, :, None, None])
        up = F.interpolate(self.narrow(eighth), size=quarter.shape[2:], mode="bilinear", align_corners=False)
        joined: Tensor = self.join(quarter + up)
        return joined


class SideHead(nn.Module):
    """The four sides of a box, each the mean position under a map of attention of its own.

    Parameters
    ----------
    width : int
        Number of maps that it looks at.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attend = nn.Conv2d(width, 4, 1)
        self.stretch = nn.Parameter(torch.ones(4))  # a mean never reaches the outermost places by itself
        self.shift = nn.Parameter(torch.zeros(4))

    def forward(self, maps: Tensor) -> Tensor:
        """Read (x1, y1, x2, y2) in frame units, (B, 4), off maps (B, width, H, W)."""
        score = self.attend(maps)
        with torch.autocast(maps.device.type, enabled=False):  # bfloat16 would round boxes to whole units
            attention = score.to(self.stretch.dtype).flatten(2).softmax(dim=2).view_as(score)
            x1, y1, x2, y2 = attention.unbind(dim=1)
            across, down = _positions(attention, 3), _positions(attention, 2)
            sides = [x1.sum(dim=1) @ across, y1.sum(dim=2) @ down, x2.sum(dim=1) @ across, y2.sum(dim=2) @ down]
            box: Tensor = (torch.stack(sides, dim=1) * self.stretch + self.shift + 1) * (FRAME / 2)
        return box


def _positions(maps: Tensor, dim: int) -> Tensor:
    """Return the centres of the places along a dimension, from -1 to 1 across the frame."""
    count = maps.shape[dim]
    return (torch.arange(count, device=maps.device, dtype=maps.dtype) * 2 + 1) / count - 1


class CompactLocalization(nn.Module):
    """A trunk that sees the frame at a quarter of its side, and four attended sides: an `UpstreamTask`."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.head = SideHead(self.trunk.width)

    def forward(self, batch: Batch) -> Tensor:
        """Predict the box.

        Parameters
        ----------
        batch : Batch
            With `image`, (B, 3, 224, 224), RGB in [0, 255], uint8 or floating.

        Returns
        -------
        Tensor, (B, 4), float32
            (x1, y1, x2, y2) in frame units; not necessarily a usable box.
        """
        image = batch["image"].to(self.head.stretch.dtype)
        box: Tensor = self.head(self.trunk(F.avg_pool2d(image, 4) / 255))
        return box

    def energy(self, prediction: Tensor, reference: Tensor) -> Tensor:
        """Return the squared error of each box (Eq. 5), (B,): see `box_energy`."""
        return box_energy(prediction, reference)

    def reference(self, prediction: Tensor) -> Tensor:
        """Return the predicted box itself, (B, 4), in frame units."""
        return prediction

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters as the groups `trunk` and `head`."""
        return {"trunk": list(self.trunk.parameters()), "head": list(self.head.parameters())}


class CompactSegmentation(nn.Module):
    """A trunk that sees the crop, and one map of log odds: a `DownstreamTask`.

    Attributes
    ----------
    input_size : int
        Side of the crops it is called with, in pixels.
    output_size : int
        Side of the masks it predicts, in pixels.
    """

    input_size = 64
    output_size = 16

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.head = nn.Conv2d(self.trunk.width, 1, 1)

    def forward(self, crop: Tensor) -> Tensor:
        """Predict the mask inside each crop.

        Parameters
        ----------
        crop : Tensor, (M, 3, 64, 64), float32
            RGB in [0, 1].

        Returns
        -------
        Tensor, (M, 16, 16)
            Log odds of the object.
        """
        logits: Tensor = self.head(self.trunk(crop))
        return logits[:, 0]

    def energy(self, prediction: Tensor, target: MaskTarget) -> Tensor:
        """Return the cross entropy of each mask (Eq. 3), (M,): see `mask_energy`."""
        return mask_energy(prediction, target)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters as the groups `trunk` and `head`."""
        return {"trunk": list(self.trunk.parameters()), "head": list(self.head.parameters())}
