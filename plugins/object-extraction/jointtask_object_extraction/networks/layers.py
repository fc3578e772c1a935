"""What the networks of this plugin share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from jointtask_object_extraction.networks.weights import InputScale

__all__ = ["Standardise", "gaussian", "parameters_by_kind", "response_norm"]


class Standardise(nn.Module):
    """Bring RGB images to the scale that a network's weights ask for.

    Parameters
    ----------
    scale : InputScale
        Mean, standard deviation and channel order that the weights were trained with.
    white : float
        Largest value of the input images: 255 for bytes, 1 for crops.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, scale: InputScale, *, white: float) -> None:
        super().__init__()
        self.bgr = scale.bgr
        for name, values in (("mean", scale.mean), ("std", scale.std)):
            buffer = torch.tensor(values).mul(white / 255).view(1, 3, 1, 1)
            self.register_buffer(name, buffer, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Map RGB images (B, 3, H, W), any type, to float images of the same shape in the network's channel order."""
        image = image.flip(1) if self.bgr else image
        return (image.to(self.mean.dtype) - self.mean) / self.std


def response_norm() -> nn.LocalResponseNorm:
    """Make the response normalisation across channels of Krizhevsky et al., NIPS 2012, as Caffe computes it."""
    return nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=1.0)


def gaussian(layer: nn.Conv2d | nn.Linear, std: float, bias: float) -> None:
    """Start a layer in Caffe's manner: Gaussian weights, one value for all biases."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, bias)


def parameters_by_kind(module: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Return the parameters of the convolutions, and all others, as the groups `convolutional` and `connected`."""
    groups: dict[str, list[nn.Parameter]] = {"convolutional": [], "connected": []}
    for layer in module.modules():
        kind = "convolutional" if isinstance(layer, nn.Conv2d) else "connected"
        groups[kind].extend(layer.parameters(recurse=False))
    return groups
