"""The two task networks, small and trained from nothing: where the event lies, and which samples belong to it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from jointtask.api import Batch, Context
from jointtask_event_detection.likelihood import IntervalPrediction, LabelTarget, interval_energy, label_energy
from jointtask_event_detection.recording import LENGTH
from jointtask_event_detection.settings import Labelling, Localization

__all__ = ["EventLabelling", "EventLocalization", "event_labelling", "event_localization"]


def event_localization(settings: Localization, context: Context) -> EventLocalization:
    """Build the upstream task."""
    return EventLocalization(settings.width)


def event_labelling(settings: Labelling, context: Context) -> EventLabelling:
    """Build the downstream task."""
    return EventLabelling(settings.width)


class EventLocalization(nn.Module):
    """From when to when the event lasts: an `UpstreamTask`.

    Convolutions reduce the recording to places 8 samples apart; each end is the mean place under an attention of its
    own, so a network that has learned to tell places apart can place an end between two of them.

    Parameters
    ----------
    width : int
        Channels of a layer.
    """

    stride = 8

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _layer(1, width, 7, stride=2),
            _layer(width, width, 7, stride=2),
            _layer(width, width, 5, stride=2),
            _layer(width, width, 5, dilation=2),
            _layer(width, width, 5, dilation=4),
        )
        self.attention = nn.Conv1d(width, 2, 5, padding=2)
        self.doubt = nn.Linear(2 * width, 2)

    def forward(self, batch: Batch) -> IntervalPrediction:
        """Predict the intervals of `values`, (B, 512); their ends are not necessarily in order."""
        features = self.features(batch["values"][:, None])
        share = self.attention(features).softmax(dim=-1)
        position = (torch.arange(features.shape[-1], dtype=share.dtype, device=share.device) + 0.5) * self.stride
        seen = torch.einsum("bep,bcp->bec", share, features)
        weight = self.doubt.weight.view(2, 2, -1)
        log_scale = torch.einsum("bec,dec->bd", seen, weight) + self.doubt.bias + _FIRST_DOUBT
        return IntervalPrediction(share @ position, log_scale)

    def energy(self, prediction: IntervalPrediction, target: Tensor) -> Tensor:
        """Return the negative log density, (B,), of intervals (B, 2) in samples."""
        return interval_energy(prediction, target)

    def reference(self, prediction: IntervalPrediction) -> Tensor:
        """Return the predicted interval, (B, 2), in samples."""
        return prediction.interval

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters as the groups `features` and `head`."""
        head = [*self.attention.parameters(), *self.doubt.parameters()]
        return {"features": list(self.features.parameters()), "head": head}


_FIRST_DOUBT = math.log(LENGTH / 8)
"""Log standard deviation before training, in samples: about what an end is off by at first."""


class EventLabelling(nn.Module):
    """Which points of an interval belong to the event: a `DownstreamTask`.

    Parameters
    ----------
    width : int
        Channels of a layer.
    """

    points = 64

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _layer(1, width, 5), _layer(width, width, 5, dilation=2), _layer(width, width, 5, dilation=4)
        )
        self.head = nn.Conv1d(width, 1, 1)

    def forward(self, values: Tensor) -> Tensor:
        """Return log odds of the points, (M, 64), of recordings inside references, (M, 64)."""
        logits: Tensor = self.head(self.features(values[:, None]))
        return logits[:, 0]

    def energy(self, prediction: Tensor, target: LabelTarget) -> Tensor:
        """Return the cross entropy of each labelling, (M,): see `label_energy`."""
        return label_energy(prediction, target)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters as the groups `features` and `head`."""
        return {"features": list(self.features.parameters()), "head": list(self.head.parameters())}


def _layer(channels: int, out: int, size: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Make a convolution that keeps the length, divided by its stride."""
    padding = dilation * (size - 1) // 2
    convolution = nn.Conv1d(channels, out, size, stride=stride, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(1, out), nn.ReLU())
