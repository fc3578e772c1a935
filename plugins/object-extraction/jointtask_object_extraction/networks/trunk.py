"""The trunk of the compact networks: fine maps, each place of which knows the whole image."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from jointtask_object_extraction.networks.efficientnet import EfficientNetLite
from jointtask_object_extraction.networks.layers import Standardise
from jointtask_object_extraction.networks.mobilenet import MobileNetV2
from jointtask_object_extraction.networks.weights import MOBILENET_V2

__all__ = ["SmallEncoder", "Trunk", "convolution", "see_whole"]

_GROUPS = 8


class Trunk(nn.Module):
    """An encoder, a wide view of its coarsest maps, and a way back up to its finest.

    Parameters
    ----------
    encoder : SmallEncoder, MobileNetV2 or EfficientNetLite
        Encoder from images (B, 3, H, W) on its own scale to a list of maps, finest first.
    width : int
        Number of channels of the result.
    """

    def __init__(self, encoder: SmallEncoder | MobileNetV2 | EfficientNetLite, width: int) -> None:
        super().__init__()
        self.width = width
        self.standardise = Standardise(encoder.scale, white=1)
        self.encoder = encoder
        self.lateral = nn.ModuleList(convolution(count, width, kernel=1) for count in encoder.channels)
        self.near = convolution(width, width)
        self.far = convolution(width, width, dilation=2)
        self.overall = nn.Linear(width, width)
        self.join = convolution(width, width)

    def forward(self, image: Tensor) -> Tensor:
        """Map RGB images (B, 3, H, W) in [0, 1] to (B, width, h, w), as fine as the encoder's finest maps."""
        scales = self.encoder(self.standardise(image))
        *finer, maps = [lateral(scale) for lateral, scale in zip(self.lateral, scales, strict=True)]
        maps = see_whole(maps, self.near, self.far, self.overall)
        for fine in reversed(finer):
            maps = fine + F.interpolate(maps, size=fine.shape[2:], mode="bilinear", align_corners=False)
        joined: Tensor = self.join(maps)
        return joined


def see_whole(maps: Tensor, near: nn.Module, far: nn.Module, overall: nn.Module) -> Tensor:
    """Let each place of maps (B, C, H, W) know its surroundings, near and far, and the mean of them all."""
    maps = maps + near(maps)
    maps = maps + far(maps)
    return F.relu(maps + overall(maps.mean(dim=(2, 3)))[:, :, None, None])


class SmallEncoder(nn.Module):
    """Three strided convolutions: maps of a quarter and of an eighth of the image's side.

    Attributes
    ----------
    channels : tuple of int
        Number of channels of the maps at each scale.
    scale : InputScale
        Scale of the images.
    """

    channels = (32, 48)
    scale = MOBILENET_V2

    def __init__(self) -> None:
        super().__init__()
        quarter, eighth = self.channels
        self.to_quarter = nn.Sequential(
            convolution(3, 16, kernel=5, stride=2),
            convolution(16, quarter, stride=2),
        )
        self.to_eighth = convolution(quarter, eighth, stride=2)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map images (B, 3, H, W) in [-1, 1] to maps, finest first."""
        quarter = self.to_quarter(image)
        return [quarter, self.to_eighth(quarter)]


def convolution(channels: int, width: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolve, normalise over groups of channels (the same in training and in the E-step), rectify."""
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, dilation * (kernel // 2), dilation),
        nn.GroupNorm(_GROUPS, width),
        nn.ReLU(),
    )
