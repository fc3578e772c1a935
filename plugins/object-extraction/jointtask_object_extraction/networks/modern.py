"""The segmentation networks on a pretrained encoder: maps at four scales, and masks of half the crop's side."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from jointtask.api import Context
from jointtask_object_extraction.bridge.likelihood import MaskTask
from jointtask_object_extraction.networks.efficientnet import EfficientNetLite
from jointtask_object_extraction.networks.encoder import encoder_and_head, pretrained_encoder
from jointtask_object_extraction.networks.layers import Standardise
from jointtask_object_extraction.networks.mobilenet import MobileNetV2
from jointtask_object_extraction.networks.trunk import convolution, see_whole
from jointtask_object_extraction.settings import Segmentation

__all__ = ["PyramidSegmentation", "pyramid_segmentation"]

_STRIDES = (4, 8, 16, 32)
_WIDTH = 64
_FINER = 2
"""Outputs along each side of a place of the finest maps."""


def pyramid_segmentation(settings: Segmentation, context: Context) -> PyramidSegmentation:
    """Make the segmentation network of a pretrained encoder.

    Raises
    ------
    ConfigError, RunError
        If the weights cannot be used.
    """
    encoder = pretrained_encoder(settings, _STRIDES, cache=context.cache)
    return PyramidSegmentation(encoder, input_size=settings.input_size or 192, depth=settings.depth)


class PyramidSegmentation(MaskTask):
    """A feature pyramid whose coarsest maps see the whole crop: a `DownstreamTask`.

    Parameters
    ----------
    encoder : MobileNetV2 or EfficientNetLite
        Encoder that gives maps at strides 4, 8, 16 and 32.
    input_size : int
        Side of the crops it is called with, in pixels, a multiple of 32.
    depth : int
        Times that the coarsest maps look around themselves, near and far, at least 1.

    Attributes
    ----------
    output_size : int
        Side of the masks it predicts: half the crop's.

    Notes
    -----
    Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017; the masks are twice as fine as the finest
    maps, by Shi et al., "Real-Time Single Image and Video Super-Resolution", CVPR 2016.
    """

    def __init__(self, encoder: MobileNetV2 | EfficientNetLite, *, input_size: int, depth: int = 1) -> None:
        super().__init__()
        self.input_size = input_size
        self.output_size = input_size // 4 * _FINER
        self.standardise = Standardise(encoder.scale, white=1)
        self.encoder = encoder
        self.lateral = nn.ModuleList(convolution(count, _WIDTH, kernel=1) for count in encoder.channels)
        self.near = convolution(_WIDTH, _WIDTH)
        self.far = convolution(_WIDTH, _WIDTH, dilation=2)
        self.overall = nn.Linear(_WIDTH, _WIDTH)
        self.join = nn.ModuleList(convolution(_WIDTH, _WIDTH) for _ in encoder.channels[1:])
        self.head = nn.Conv2d(_WIDTH, _FINER**2, 3, padding=1)
        self.around = nn.ModuleList(
            convolution(_WIDTH, _WIDTH, dilation=dilation) for _ in range(depth - 1) for dilation in (1, 2)
        )

    def forward(self, crop: Tensor) -> Tensor:
        """Return log odds of the object, (M, output_size, output_size), inside crops in [0, 1] of `input_size`."""
        scales = self.encoder(self.standardise(crop))
        *finer, maps = [lateral(scale) for lateral, scale in zip(self.lateral, scales, strict=True)]
        for look in self.around:
            maps = maps + look(maps)
        maps = see_whole(maps, self.near, self.far, self.overall)
        for fine, join in zip(reversed(finer), self.join, strict=True):
            maps = join(fine + F.interpolate(maps, size=fine.shape[2:], mode="bilinear", align_corners=False))
        logits: Tensor = F.pixel_shuffle(self.head(maps), _FINER)
        return logits[:, 0]

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters as the groups `encoder` and `head`."""
        return encoder_and_head(self, self.encoder)
