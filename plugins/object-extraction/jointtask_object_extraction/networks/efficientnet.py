"""EfficientNet-Lite as an encoder: pretrained maps at several scales."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from jointtask_object_extraction.networks.bottleneck import Bottleneck, rectified
from jointtask_object_extraction.networks.weights import EFFICIENTNET_LITE

__all__ = ["EfficientNetLite"]

_STEM = 32
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
"""Kernel, stride of the first block, expansion, channels and blocks of Lite0 (Tan and Le, ICML 2019, table 1)."""

_VARIANTS = {"efficientnet-lite0": (1.0, 1.0), "efficientnet-lite2": (1.1, 1.2)}
"""Factors on the channels and on the number of blocks."""

_LAST_STAGE = {4: 1, 8: 2, 16: 4, 32: 5}
"""Last stage of each stride. The stage after them feeds the classifier, and is not made."""

_FROZEN = 3
"""Number of first stages that `freeze` keeps as they are: they are general, and cost much of the time."""


class EfficientNetLite(nn.Module):
    """The bottlenecks of EfficientNet-Lite without its batch normalisation, which is folded into the convolutions.

    Parameters
    ----------
    variant : str
        "efficientnet-lite0" or "efficientnet-lite2".
    strides : sequence of int
        As of `MobileNetV2`, like the attributes `channels` and `scale`.

    Notes
    -----
    Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019; Lite by Liu,
    2020: no squeeze and excitation, ReLU6 for swish, and the stem, the first and the last stage not scaled in depth.
    """

    scale = EFFICIENTNET_LITE

    def __init__(self, variant: str, strides: Sequence[int]) -> None:
        super().__init__()
        width, depth = _VARIANTS[variant]
        self.stem = rectified(3, _STEM, stride=2)
        blocks: list[nn.Module] = []
        counts, widths = [], [_STEM]
        for stage, (kernel, stride, expansion, channels, repeats) in enumerate(_STAGES):
            fixed = stage in (0, len(_STAGES) - 1)
            widths.append(_round_channels(channels * width))
            for repeat in range(repeats if fixed else math.ceil(repeats * depth)):
                before = widths[-2 if repeat == 0 else -1]
                blocks.append(Bottleneck(before, widths[-1], expansion, stride if repeat == 0 else 1, kernel))
            counts.append(len(blocks))
        last = [_LAST_STAGE[stride] for stride in strides]
        self.channels = tuple(widths[stage + 1] for stage in last)
        self._taps = tuple(counts[stage] for stage in last)
        self._frozen = counts[_FROZEN - 1]
        self.blocks = nn.ModuleList(blocks[: self._taps[-1]])

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map standardised RGB images (B, 3, H, W), sides multiples of 32, to maps, finest first."""
        maps, tapped = self.stem(image), []
        for count, block in enumerate(self.blocks, start=1):
            maps = block(maps)
            if count in self._taps:
                tapped.append(maps)
        return tapped

    def freeze(self) -> None:
        """Keep the stem and the first stages as they are: they take no part in training."""
        self.stem.requires_grad_(False)
        for block in self.blocks[: self._frozen]:
            block.requires_grad_(False)

    def weight_names(self) -> dict[str, str]:
        """Map the keys of a file of weights - `stem` and `blocks.N.{expand,depthwise,project}` - to the parameters."""
        layers = {"stem": "stem.1"}
        for number, block in enumerate(self.blocks):
            assert isinstance(block, Bottleneck)
            parts = ("expand", "depthwise", "project")[3 - len(block.path) :]
            for position, part in enumerate(parts):
                inner = "" if part == "project" else ".1"
                layers[f"blocks.{number}.{part}"] = f"blocks.{number}.path.{position}{inner}"
        return {f"{file}.{kind}": f"{own}.{kind}" for file, own in layers.items() for kind in ("weight", "bias")}


def _round_channels(count: float) -> int:
    """Round to a multiple of 8, by at most a tenth downwards."""
    rounded = max(8, int(count + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * count else rounded
