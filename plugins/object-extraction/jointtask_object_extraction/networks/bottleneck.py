"""Inverted bottlenecks, of which MobileNetV2 and EfficientNet-Lite are made, without batch normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Bottleneck", "rectified"]


class Bottleneck(nn.Module):
    """Expand, filter each channel by itself, project; added to the input where the shapes agree.

    Parameters
    ----------
    channels, width : int
        Number of channels of the input and of the output.
    expansion : int
        Factor on the number of channels in between.
    stride : int
        Stride of the filter, 1 or 2.
    kernel : int
        Side of the filter, odd.

    Notes
    -----
    Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
    """

    def __init__(self, channels: int, width: int, expansion: int, stride: int, kernel: int = 3) -> None:
        super().__init__()
        hidden = channels * expansion
        path = [rectified(channels, hidden, kernel=1)] if expansion > 1 else []
        path.append(rectified(hidden, hidden, kernel=kernel, stride=stride, groups=hidden))
        self.path = nn.Sequential(*path, nn.Conv2d(hidden, width, 1))
        self.residual = stride == 1 and channels == width

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, width, H / stride, W / stride); H and W are multiples of the stride."""
        projected: Tensor = self.path(maps)
        return maps + projected if self.residual else projected


def rectified(channels: int, width: int, *, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolve and clip to [0, 6], with TensorFlow's padding: at stride 2 the odd pixel is on the far side."""
    near, far = (kernel - 2) // 2, (kernel - 1) // 2
    pad = nn.ZeroPad2d((near, far, near, far)) if stride == 2 else nn.Identity()
    padding = 0 if stride == 2 else kernel // 2
    layer = nn.Conv2d if groups == 1 or kernel == 3 else _LargeDepthwise
    return nn.Sequential(pad, layer(channels, width, kernel, stride, padding, groups=groups), nn.ReLU6(inplace=True))


class _LargeDepthwise(nn.Conv2d):
    """A depthwise convolution that stays in single precision on a CPU.

    oneDNN's gradients of 5 x 5 depthwise convolutions take 4 to 13 times as long in bfloat16.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps (B, C, H, W)."""
        if maps.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(maps)
        with torch.autocast("cpu", enabled=False):
            return super().forward(maps.to(self.weight.dtype))
