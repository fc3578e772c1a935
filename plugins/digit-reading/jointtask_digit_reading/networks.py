"""The two task networks, small and trained from nothing: which way up, and which digit."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jointtask.api import Batch, Context
from jointtask_digit_reading.angle import CIRCLE, direction, von_mises_energy
from jointtask_digit_reading.scene import CROP, polar
from jointtask_digit_reading.settings import Orientation, Reader

__all__ = ["DigitOrientation", "DigitReader", "digit_orientation", "digit_reader"]


def digit_orientation(settings: Orientation, context: Context) -> DigitOrientation:
    """Build the upstream task."""
    return DigitOrientation(settings.width)


def digit_reader(settings: Reader, context: Context) -> DigitReader:
    """Build the downstream task."""
    return DigitReader(settings.width, settings.dropout)


class DigitOrientation(nn.Module):
    """By how much the digit in the middle of a frame is rotated: an `UpstreamTask`.

    It reads the frame along rays from its middle and convolves around the circle, so that a digit rotated by a ray or
    more gives the same prediction, rotated (Esteves et al., "Polar Transformer Networks", ICLR 2018). It predicts the
    natural parameter of a von Mises distribution: -180 and 180 degrees are neighbours, and how sure it is comes with
    what it predicts.

    Parameters
    ----------
    width : int
        Channels of a layer.
    """

    radii, angles = 14, 48

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _ring(self.radii, width, 1), _ring(width, width, 1), _ring(width, width, 2), _ring(width, width, 4)
        )
        self.head = nn.Sequential(nn.Conv1d(2 * width, width, 1), nn.ReLU(), nn.Conv1d(width, 1, 1))

    def forward(self, batch: Batch) -> Tensor:
        """Predict the rotation.

        Parameters
        ----------
        batch : Batch
            Batch with `image`, (B, 40, 40), in [0, 255], uint8 or floating.

        Returns
        -------
        Tensor, (B, 2)
            kappa (cos, sin) of the angle: see `jointtask_digit_reading.angle.von_mises_energy`.
        """
        image = batch["image"].float() / 255
        along = self.features(polar(image, self.radii, self.angles))
        whole = along.mean(dim=-1, keepdim=True).expand_as(along)
        strength: Tensor = self.head(torch.cat([along, whole], dim=1))[:, 0]
        turn = torch.arange(self.angles, dtype=image.dtype, device=image.device) * (CIRCLE / self.angles)
        return strength @ direction(turn)

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the negative log density, (B,), of angles (B, 1) in degrees."""
        return von_mises_energy(prediction, target[:, 0])

    def reference(self, prediction: Tensor) -> Tensor:
        """Return the predicted angle, (B, 1), in degrees from -180 to 180."""
        return torch.rad2deg(torch.atan2(prediction[:, 1], prediction[:, 0]))[:, None]

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters as the groups `features` and `head`."""
        return {"features": list(self.features.parameters()), "head": list(self.head.parameters())}


class DigitReader(nn.Module):
    """Which digit an upright crop shows: a `DownstreamTask`.

    Parameters
    ----------
    width : int
        Channels of the first layer.
    dropout : float
        Share of features left out in training.
    """

    input_size = CROP

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.features = nn.Sequential(_plane(1, width), _plane(width, 2 * width), nn.Flatten())
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(2 * width * (CROP // 4) ** 2, 10)

    def forward(self, crop: Tensor) -> Tensor:
        """Predict the digit.

        Parameters
        ----------
        crop : Tensor, (M, 20, 20), float32
            Upright crop, in [0, 1].

        Returns
        -------
        Tensor, (M, 10)
            Logits of the digits 0 to 9.
        """
        logits: Tensor = self.out(self.drop(self.features(crop[:, None])))
        return logits

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the cross entropy, (M,), of digits (M,), in nats."""
        return F.cross_entropy(prediction, target, reduction="none")

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters as the groups `features` and `head`."""
        return {"features": list(self.features.parameters()), "head": list(self.out.parameters())}


def _ring(channels: int, out: int, dilation: int) -> nn.Sequential:
    """Make a layer that convolves five rays around the circle."""
    around = nn.Conv1d(channels, out, 5, padding=2 * dilation, dilation=dilation, padding_mode="circular", bias=False)
    return nn.Sequential(around, nn.GroupNorm(1, out), nn.ReLU())


def _plane(channels: int, out: int) -> nn.Sequential:
    """Make a layer that halves its maps."""
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride=2, padding=1, bias=False), nn.GroupNorm(1, out), nn.ReLU())
