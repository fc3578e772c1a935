"""MobileNetV2 as an encoder: pretrained maps at several scales."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from jointtask_object_extraction.networks.bottleneck import Bottleneck, rectified
from jointtask_object_extraction.networks.weights import MOBILENET_V2

__all__ = ["MobileNetV2"]

_FROZEN = 4
"""Number of first blocks that `freeze` keeps as they are: they are general, and cost a third of the time."""

_TAPS = {4: 3, 8: 6, 16: 13, 32: 17}
"""Last block of each stride; block 0 is the first convolution."""

_STAGES = ((16, 1, 1, 1), (24, 6, 2, 2), (32, 6, 3, 2), (64, 6, 4, 2), (96, 6, 3, 1), (160, 6, 3, 2), (320, 6, 1, 1))
"""Channels, expansion, blocks and stride of the first block (Sandler et al., CVPR 2018, table 2)."""


class MobileNetV2(nn.Module):
    """The bottlenecks of MobileNetV2 1.0 without its batch normalisation, which is folded into the convolutions.

    Parameters
    ----------
    strides : sequence of int
        Strides of the maps, ascending, among 4, 8, 16 and 32. Blocks after the last map are not made.

    Attributes
    ----------
    channels : tuple of int
        Number of channels of the maps at each stride.
    scale : InputScale
        Scale of the images.

    Notes
    -----
    Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
    """

    scale = MOBILENET_V2

    def __init__(self, strides: Sequence[int]) -> None:
        super().__init__()
        blocks: list[nn.Module] = [rectified(3, 32, stride=2)]
        widths = [32]
        for channels, expansion, repeats, stride in _STAGES:
            for repeat in range(repeats):
                blocks.append(Bottleneck(widths[-1], channels, expansion, stride if repeat == 0 else 1))
                widths.append(channels)
        self._taps = tuple(_TAPS[stride] for stride in strides)
        self.channels = tuple(widths[tap] for tap in self._taps)
        self.features = nn.ModuleList(blocks[: self._taps[-1] + 1])

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map images (B, 3, H, W) in [-1, 1], RGB, sides multiples of 32, to the maps at the strides."""
        maps, tapped = image, []
        for position, block in enumerate(self.features):
            maps = block(maps)
            if position in self._taps:
                tapped.append(maps)
        return tapped

    def freeze(self) -> None:
        """Keep the first blocks as they are: they take no part in training."""
        for block in self.features[:_FROZEN]:
            block.requires_grad_(False)

    def weight_names(self) -> dict[str, str]:
        """Map the keys of torchvision's file, with batch normalisation folded into its `bias`, to the parameters."""
        names = {"features.0.0.weight": "features.0.1.weight", "features.0.1.bias": "features.0.1.bias"}
        for position, block in enumerate(self.features):
            if isinstance(block, Bottleneck):
                file, own = f"features.{position}.conv", f"features.{position}.path"
                last = len(block.path) - 1
                for k in range(last):
                    names[f"{file}.{k}.0.weight"] = f"{own}.{k}.1.weight"
                    names[f"{file}.{k}.1.bias"] = f"{own}.{k}.1.bias"
                names[f"{file}.{last}.weight"] = f"{own}.{last}.weight"
                names[f"{file}.{last + 1}.bias"] = f"{own}.{last}.bias"
        return names
