"""MobileNetV2 as an encoder: pretrained maps at several scales."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from jointtask_object_extraction.networks.weights import load_convolutions
from jointtask_object_extraction.settings import Localization, Segmentation

__all__ = ["FROZEN", "MobileNetV2", "encoder_and_head", "mobilenet_encoder"]

FROZEN = 4
"""Number of first blocks that `mobilenet` networks do not train: they are general, and cost a third of the time."""

_STAGES = ((16, 1, 1, 1), (24, 6, 2, 2), (32, 6, 3, 2), (64, 6, 4, 2), (96, 6, 3, 1), (160, 6, 3, 2), (320, 6, 1, 1))
"""Channels, expansion, blocks and stride of the first block (Sandler et al., CVPR 2018, table 2)."""


class MobileNetV2(nn.Module):
    """The bottlenecks of MobileNetV2 1.0 without its batch normalisation, which is folded into the convolutions.

    Parameters
    ----------
    taps : tuple of int
        After which blocks maps are taken, in ascending order; block 0 is the first convolution. Blocks after the last
        tap are not made.

    Attributes
    ----------
    channels : tuple of int
        Number of channels of the maps at each tap.

    Notes
    -----
    Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
    """

    def __init__(self, taps: tuple[int, ...]) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_convolution(3, 32, stride=2)]
        widths = [32]
        for channels, expansion, repeats, stride in _STAGES:
            for repeat in range(repeats):
                blocks.append(_Bottleneck(widths[-1], channels, expansion, stride if repeat == 0 else 1))
                widths.append(channels)
        self.taps = taps
        self.channels = tuple(widths[tap] for tap in taps)
        self.features = nn.ModuleList(blocks[: taps[-1] + 1])

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map images (B, 3, H, W) in [-1, 1], RGB, sides multiples of 32, to the maps at the taps."""
        maps, tapped = image, []
        for position, block in enumerate(self.features):
            maps = block(maps)
            if position in self.taps:
                tapped.append(maps)
        return tapped

    def freeze(self, blocks: int) -> None:
        """Keep the first blocks as they are: they take no part in training."""
        for block in self.features[:blocks]:
            block.requires_grad_(False)

    def load(self, source: str, sha256: str, *, cache: Path) -> None:
        """Load pretrained weights: torchvision's names, batch normalisation folded into its `bias`.

        Raises
        ------
        ConfigError, RunError
            As `load_convolutions`.
        """
        load_convolutions(self, source, sha256, self._names(), cache=cache)

    def _names(self) -> dict[str, str]:
        names = {"features.0.0.weight": "features.0.1.weight", "features.0.1.bias": "features.0.1.bias"}
        for position, block in enumerate(self.features):
            if isinstance(block, _Bottleneck):
                file, own = f"features.{position}.conv", f"features.{position}.path"
                last = len(block.path) - 1
                for k in range(last):
                    names[f"{file}.{k}.0.weight"] = f"{own}.{k}.1.weight"
                    names[f"{file}.{k}.1.bias"] = f"{own}.{k}.1.bias"
                names[f"{file}.{last}.weight"] = f"{own}.{last}.weight"
                names[f"{file}.{last + 1}.bias"] = f"{own}.{last}.bias"
        return names


def mobilenet_encoder(taps: tuple[int, ...], settings: Localization | Segmentation, *, cache: Path) -> MobileNetV2:
    """Make the encoder that a run file asks for; the networks `mobilenet` keep its first blocks as they are.

    Raises
    ------
    ConfigError, RunError
        If the weights cannot be used.
    """
    encoder = MobileNetV2(taps)
    if settings.weights:
        encoder.load(settings.weights, settings.sha256, cache=cache)
    if settings.network == "mobilenet":
        encoder.freeze(FROZEN)
    return encoder


def encoder_and_head(network: nn.Module, encoder: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Split a network's parameters into its encoder's, which may come pretrained, and all others."""
    in_encoder = set(encoder.parameters())
    head = [parameter for parameter in network.parameters() if parameter not in in_encoder]
    return {"encoder": list(encoder.parameters()), "head": head}


class _Bottleneck(nn.Module):
    """Expand, filter each channel by itself, project; added to the input where the shapes agree."""

    def __init__(self, channels: int, width: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = channels * expansion
        path = [_convolution(channels, hidden, kernel=1)] if expansion > 1 else []
        path.append(_convolution(hidden, hidden, stride=stride, groups=hidden))
        self.path = nn.Sequential(*path, nn.Conv2d(hidden, width, 1))
        self.residual = stride == 1 and channels == width

    def forward(self, maps: Tensor) -> Tensor:
        projected: Tensor = self.path(maps)
        return maps + projected if self.residual else projected


def _convolution(channels: int, width: int, *, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    # TensorFlow, where the weights were trained, pads even sides at stride 2 on the far side alone.
    pad = nn.ZeroPad2d((0, 1, 0, 1)) if stride == 2 else nn.Identity()
    padding = 0 if stride == 2 else kernel // 2
    return nn.Sequential(
        pad, nn.Conv2d(channels, width, kernel, stride, padding, groups=groups), nn.ReLU6(inplace=True)
    )
