"""The compact networks: two tasks on one small trunk, trained from nothing or on pretrained maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jointtask.api import Batch, ConfigError, Context
from jointtask_object_extraction.bridge.likelihood import BoxPrediction, BoxTask, MaskTask
from jointtask_object_extraction.networks.encoder import PRETRAINED, encoder_and_head, pretrained_encoder
from jointtask_object_extraction.networks.trunk import SmallEncoder, Trunk
from jointtask_object_extraction.photograph import FRAME
from jointtask_object_extraction.settings import Localization, Segmentation

__all__ = ["CompactLocalization", "CompactSegmentation", "SideHead", "compact_localization", "compact_segmentation"]


def compact_localization(settings: Localization, context: Context) -> CompactLocalization:
    """Make the localization network `compact`, or one on a pretrained encoder.

    Raises
    ------
    ConfigError, RunError
        If the weights cannot be used.
    """
    trunk = _trunk(settings, context, strides=(16, 32))
    view = {"compact": 56, "compact-mobilenet": 160}.get(settings.network, settings.input_size or 160)
    return CompactLocalization(trunk, view=view, predicts_scale=settings.scale == "predicted")


def compact_segmentation(settings: Segmentation, context: Context) -> CompactSegmentation:
    """Make the segmentation network `compact`, or `compact-mobilenet` on MobileNetV2.

    Raises
    ------
    ConfigError, RunError
        If the weights cannot be used.
    """
    trunk = _trunk(settings, context, strides=(4, 8, 16))
    if settings.network == "compact-mobilenet":
        return CompactSegmentation(trunk, input_size=96, output_size=24)
    return CompactSegmentation(trunk, input_size=64, output_size=16)


def _trunk(settings: Localization | Segmentation, context: Context, strides: tuple[int, ...]) -> Trunk:
    """Make the trunk that a run file asks for; `strides` are those of the maps of a pretrained encoder."""
    if settings.network in ("compact-mobilenet", *PRETRAINED):
        encoder = pretrained_encoder(settings, strides, cache=context.cache)
        return Trunk(encoder, width=64)
    if settings.weights:
        raise ConfigError(
            "the network 'compact' has no pretrained weights",
            remedy='remove `weights`, or choose `network = "compact-mobilenet"`',
        )
    return Trunk(SmallEncoder(), width=40)


class SideHead(nn.Module):
    """The four sides of a box, each the mean position under a map of attention of its own.

    Parameters
    ----------
    width : int
        Number of channels of the input maps.
    predicts_scale : bool
        Whether it also predicts the standard deviation of each side.
    """

    def __init__(self, width: int, *, predicts_scale: bool = False) -> None:
        super().__init__()
        # "doubt" is the name in the weight files of earlier runs.
        self.doubt = nn.Conv2d(width, 4, 1) if predicts_scale else None
        self.attend = nn.Conv2d(width, 4, 1)
        self.stretch = nn.Parameter(torch.ones(4))  # a mean position cannot reach the frame's border without it
        self.shift = nn.Parameter(torch.zeros(4))

    def forward(self, maps: Tensor) -> Tensor | BoxPrediction:
        """Read (x1, y1, x2, y2) in frame units, (B, 4), off maps (B, width, H, W); with its scale if predicted."""
        score = self.attend(maps)
        log_scales = None if self.doubt is None else self.doubt(maps)
        with torch.autocast(maps.device.type, enabled=False):  # bfloat16 would round boxes to whole units
            attention = score.to(self.stretch.dtype).flatten(2).softmax(dim=2).view_as(score)
            x1, y1, x2, y2 = attention.unbind(dim=1)
            across, down = _positions(attention, 3), _positions(attention, 2)
            sides = [x1.sum(dim=1) @ across, y1.sum(dim=2) @ down, x2.sum(dim=1) @ across, y2.sum(dim=2) @ down]
            box: Tensor = (torch.stack(sides, dim=1) * self.stretch + self.shift + 1) * (FRAME / 2)
            if log_scales is None:
                return box
            log_scale = (attention * log_scales.to(attention.dtype)).sum(dim=(2, 3))
            return BoxPrediction(box, log_scale + _INITIAL_LOG_SCALE)


_INITIAL_LOG_SCALE = 3.0
"""Logarithm of the standard deviation before training, in frame units: about the error of an untrained side."""


def _positions(maps: Tensor, dim: int) -> Tensor:
    """Return the centres of the places along a dimension, from -1 to 1 across the frame."""
    count = maps.shape[dim]
    return (torch.arange(count, device=maps.device, dtype=maps.dtype) * 2 + 1) / count - 1


class CompactLocalization(BoxTask):
    """A trunk that sees the reduced frame, and four attended sides: an `UpstreamTask`.

    Parameters
    ----------
    trunk : Trunk
        Encoder and decoder that turn an image into maps.
    view : int
        Side of the reduced frame that the trunk sees, in pixels.
    predicts_scale : bool
        Whether it predicts the standard deviation of each side.
    """

    def __init__(self, trunk: Trunk, *, view: int, predicts_scale: bool = False) -> None:
        super().__init__()
        self.view = view
        self.trunk = trunk
        self.head = SideHead(trunk.width, predicts_scale=predicts_scale)

    def forward(self, batch: Batch) -> Tensor | BoxPrediction:
        """Return boxes (x1, y1, x2, y2), (B, 4), in frame units, of `image`, (B, 3, 224, 224), in [0, 255]."""
        image = batch["image"].to(self.head.stretch.dtype) / 255
        view = F.interpolate(image, size=(self.view, self.view), mode="bilinear", align_corners=False, antialias=True)
        box: Tensor | BoxPrediction = self.head(self.trunk(view))
        return box

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters as the groups `encoder` and `head`."""
        return encoder_and_head(self, self.trunk.encoder)


class CompactSegmentation(MaskTask):
    """A trunk that sees the crop, and one map of log odds: a `DownstreamTask`.

    Parameters
    ----------
    trunk : Trunk
        Encoder and decoder that turn an image into maps.
    input_size : int
        Side of the crops it is called with, in pixels.
    output_size : int
        Side of the trunk's maps for such crops, and so of the masks it predicts.
    """

    def __init__(self, trunk: Trunk, *, input_size: int, output_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.output_size = output_size
        self.trunk = trunk
        self.head = nn.Conv2d(trunk.width, 1, 1)

    def forward(self, crop: Tensor) -> Tensor:
        """Return log odds of the object, (M, output_size, output_size), inside crops in [0, 1] of `input_size`."""
        logits: Tensor = self.head(self.trunk(crop))
        return logits[:, 0]

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters as the groups `encoder` and `head`."""
        return encoder_and_head(self, self.trunk.encoder)
