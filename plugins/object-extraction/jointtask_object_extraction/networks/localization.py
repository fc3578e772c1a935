"""The upstream task: the box of the salient object, by Krizhevsky's eight layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jointtask.api import Batch, ConfigError, Context
from jointtask_object_extraction.bridge.likelihood import BoxTask
from jointtask_object_extraction.networks.encoder import PRETRAINED
from jointtask_object_extraction.networks.layers import Standardise, gaussian, parameters_by_kind, response_norm
from jointtask_object_extraction.networks.weights import IMAGENET, load_convolutions, same_names
from jointtask_object_extraction.photograph import FRAME
from jointtask_object_extraction.settings import Localization

__all__ = ["EightLayers", "build_localization"]

_CONVOLUTIONS = ("conv1", "conv2", "conv3", "conv4", "conv5")
_RELEASE_FRAME, _RELEASE_VIEW = 256, 227


def build_localization(settings: Localization, context: Context) -> nn.Module:
    """Make the localization network that a run file asks for.

    The `release` network keeps its convolutions frozen once pretrained weights are in them, as the authors' release
    does; at random they train.

    Raises
    ------
    ConfigError
        If the weights cannot be used.
    """
    if settings.network in ("compact", "compact-mobilenet", *PRETRAINED):
        from jointtask_object_extraction.networks.compact import compact_localization

        return compact_localization(settings, context)
    if settings.scale != "fixed":
        raise ConfigError(
            f"the network '{settings.network}' does not predict its scale",
            remedy='remove `scale`, or choose `network = "mobilenet"` or one of the compact ones',
        )
    network = EightLayers(release=settings.network == "release")
    if settings.weights:
        names = same_names(_CONVOLUTIONS)
        load_convolutions(network, settings.weights, settings.sha256, names, cache=context.cache)
        if settings.network == "release":
            for parameter in network.parameter_groups()["convolutional"]:
                parameter.requires_grad_(False)
    return network


class EightLayers(BoxTask):
    """Krizhevsky's network with four outputs in frame units: an `UpstreamTask`.

    Its maps are 96 x 55, 256 x 27, 384 x 13 and, after the last pooling, 256 x 6; then 4096, 4096 and 4 units.
    The output starts at the central box of half the frame's side.

    Parameters
    ----------
    release : bool
        The authors' released network: it sees the central 227 of the frame scaled to 256, pools before it normalises,
        and has no dropout. False is the paper's.

    Notes
    -----
    Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NIPS 2012;
    Wang et al., NIPS 2014, section 2.
    """

    def __init__(self, *, release: bool) -> None:
        super().__init__()
        self.release = release
        self.standardise = Standardise(IMAGENET, white=255)
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4, padding=0 if release else 2)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2)
        self.fc6 = nn.Linear(256 * 6 * 6, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, 4)
        self.pool = nn.MaxPool2d(3, stride=2)
        self.norm = response_norm()
        self.dropout = nn.Dropout(0.0 if release else 0.5)
        self._start()

    def _start(self) -> None:
        for name in _CONVOLUTIONS:
            layer: nn.Conv2d = getattr(self, name)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # made with a bias above
        gaussian(self.fc6, 0.005, 0.1)
        gaussian(self.fc7, 0.005, 0.1)
        gaussian(self.fc8, 0.01, 0.0)
        with torch.no_grad():
            self.fc8.bias.copy_(torch.tensor([0.25, 0.25, 0.75, 0.75]) * FRAME)

    def forward(self, batch: Batch) -> Tensor:
        """Predict the box.

        Parameters
        ----------
        batch : Batch
            Batch with `image`, (B, 3, 224, 224), RGB in [0, 255], uint8 or floating.

        Returns
        -------
        Tensor, (B, 4), float32
            (x1, y1, x2, y2) in frame units; not necessarily a usable box.
        """
        maps = self.standardise(batch["image"])
        if self.release:
            maps = _central(maps)
        maps = self._reduce(F.relu(self.conv1(maps)))
        maps = self._reduce(F.relu(self.conv2(maps)))
        maps = F.relu(self.conv3(maps))
        maps = F.relu(self.conv4(maps))
        maps = self.pool(F.relu(self.conv5(maps)))
        hidden = self.dropout(F.relu(self.fc6(maps.flatten(1))))
        hidden = self.dropout(F.relu(self.fc7(hidden)))
        with torch.autocast(hidden.device.type, enabled=False):  # bfloat16 would round boxes to whole units
            box: Tensor = self.fc8(hidden.to(self.fc8.weight.dtype))
        return box

    def _reduce(self, maps: Tensor) -> Tensor:
        reduced: Tensor = self.norm(self.pool(maps)) if self.release else self.pool(self.norm(maps))
        return reduced

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters as the groups `convolutional` and `connected`."""
        return parameters_by_kind(self)


def _central(image: Tensor) -> Tensor:
    """Return the central 227 x 227 of images scaled to 256 x 256."""
    frame = F.interpolate(image, size=(_RELEASE_FRAME, _RELEASE_FRAME), mode="bilinear", align_corners=False)
    edge = (_RELEASE_FRAME - _RELEASE_VIEW) // 2
    return frame[..., edge : edge + _RELEASE_VIEW, edge : edge + _RELEASE_VIEW]
