"""The downstream task: the object's mask inside a crop, by the paper's five layers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from jointtask.api import Context
from jointtask_object_extraction.bridge.likelihood import MaskTask
from jointtask_object_extraction.networks.encoder import PRETRAINED
from jointtask_object_extraction.networks.layers import Standardise, gaussian, parameters_by_kind, response_norm
from jointtask_object_extraction.networks.weights import CAFFE_RGB, load_convolutions, same_names
from jointtask_object_extraction.settings import Segmentation

__all__ = ["FiveLayers", "build_segmentation"]


def build_segmentation(settings: Segmentation, context: Context) -> nn.Module:
    """Make the segmentation network that a run file asks for.

    Raises
    ------
    ConfigError
        If the weights cannot be used.
    """
    network = _network(settings, context)
    network.overlap = settings.overlap
    return network


def _network(settings: Segmentation, context: Context) -> MaskTask:
    if settings.network in ("compact", "compact-mobilenet"):
        from jointtask_object_extraction.networks.compact import compact_segmentation

        return compact_segmentation(settings, context)
    if settings.network in PRETRAINED:
        from jointtask_object_extraction.networks.modern import pyramid_segmentation

        return pyramid_segmentation(settings, context)
    network = FiveLayers(release=settings.network == "release")
    if settings.weights:
        names = same_names(("conv1", "conv2", "conv3", "conv4"))
        load_convolutions(network, settings.weights, settings.sha256, names, cache=context.cache)
    return network


class FiveLayers(MaskTask):
    """Four convolutions and one layer that sees them all: a `DownstreamTask`.

    Its maps are 256 x 51, 384 x 25, 384 x 25, 256 x 25 and, after the last pooling, 256 x 12. The crop is brought to
    Caffe's scale inside, 0 to 255 minus the mean: the paper's initialisation and rates make sense on no other.

    Parameters
    ----------
    release : bool
        The authors' released network: the last two convolutions in two groups, pooling before normalisation, and a
        second normalisation after the second convolution. False is the paper's.

    Attributes
    ----------
    input_size : int
        Side of the crops it is called with, in pixels.
    output_size : int
        Side of the masks it predicts, in pixels.

    Notes
    -----
    Wang et al., NIPS 2014, section 4; the initialisation is the release's.
    """

    input_size = 55
    output_size = 50

    def __init__(self, *, release: bool) -> None:
        super().__init__()
        self.release = release
        groups = 2 if release else 1
        self.standardise = Standardise(CAFFE_RGB, white=1)
        self.conv1 = nn.Conv2d(3, 256, 5)
        self.conv2 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv3 = nn.Conv2d(384, 384, 3, padding=1, groups=groups)
        self.conv4 = nn.Conv2d(384, 256, 3, padding=1, groups=groups)
        self.fc5 = nn.Linear(256 * 12 * 12, self.output_size**2)
        self.pool = nn.MaxPool2d(3, stride=2)
        self.norm = response_norm()
        for layer, bias in (
            (self.conv1, 1.0),
            (self.conv2, 0.0),
            (self.conv3, 1.0),
            (self.conv4, 1.0),
            (self.fc5, 0.0),
        ):
            gaussian(layer, 0.01, bias)

    def forward(self, crop: Tensor) -> Tensor:
        """Predict the mask inside each crop.

        Parameters
        ----------
        crop : Tensor, (M, 3, 55, 55), float32
            RGB in [0, 1].

        Returns
        -------
        Tensor, (M, 50, 50)
            Log odds of the object.
        """
        maps = F.relu(self.conv1(self.standardise(crop)))
        maps = self.norm(self.pool(maps)) if self.release else self.pool(self.norm(maps))
        maps = F.relu(self.conv2(maps))
        if self.release:
            maps = self.norm(maps)
        maps = F.relu(self.conv3(maps))
        maps = self.pool(F.relu(self.conv4(maps)))
        logits: Tensor = self.fc5(maps.flatten(1))
        return logits.view(-1, self.output_size, self.output_size)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters as the groups `convolutional` and `connected`."""
        return parameters_by_kind(self)
