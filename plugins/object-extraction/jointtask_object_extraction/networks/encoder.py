"""The pretrained encoders that networks may have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from jointtask_object_extraction.networks.efficientnet import EfficientNetLite
from jointtask_object_extraction.networks.mobilenet import MobileNetV2
from jointtask_object_extraction.networks.weights import load_convolutions
from jointtask_object_extraction.settings import Localization, Segmentation

__all__ = ["PRETRAINED", "encoder_and_head", "pretrained_encoder"]

PRETRAINED = ("mobilenet", "efficientnet-lite0", "efficientnet-lite2")
"""Networks named after their encoder, whose first layers they do not train."""


def pretrained_encoder(
    settings: Localization | Segmentation, strides: Sequence[int], *, cache: Path
) -> MobileNetV2 | EfficientNetLite:
    """Make the encoder that a run file asks for, with maps at some strides.

    Raises
    ------
    ConfigError, RunError
        If the weights cannot be used.
    """
    encoder: MobileNetV2 | EfficientNetLite
    if settings.network.startswith("efficientnet"):
        encoder = EfficientNetLite(settings.network, strides)
    else:
        encoder = MobileNetV2(strides)
    if settings.weights:
        load_convolutions(encoder, settings.weights, settings.sha256, encoder.weight_names(), cache=cache)
    if settings.network in PRETRAINED:
        encoder.freeze()
    return encoder


def encoder_and_head(network: nn.Module, encoder: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Split a network's parameters into its encoder's, which may come pretrained, and all others."""
    in_encoder = set(encoder.parameters())
    head = [parameter for parameter in network.parameters() if parameter not in in_encoder]
    return {"encoder": list(encoder.parameters()), "head": head}
