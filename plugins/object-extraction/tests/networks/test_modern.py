from __future__ import annotations

from pathlib import Path

import pytest
import torch
from jointtask_object_extraction.networks.localization import build_localization
from jointtask_object_extraction.networks.modern import PyramidSegmentation, pyramid_segmentation
from jointtask_object_extraction.networks.segmentation import build_segmentation
from jointtask_object_extraction.settings import Localization, Segmentation

from jointtask.api import Context
from jointtask.tools import SilentProgress


@pytest.fixture
def context(tmp_path: Path) -> Context:
    torch.manual_seed(0)
    return Context(torch.device("cpu"), workers=1, cache=tmp_path, progress=SilentProgress())


NETWORKS = ("mobilenet", "efficientnet-lite0", "efficientnet-lite2")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("asked", "size"), [(0, 192), (64, 64)])
def test_masks_have_half_the_side_of_the_crops(name: str, asked: int, size: int, context: Context) -> None:
    network = pyramid_segmentation(Segmentation(network=name, input_size=asked), context)  # type: ignore[arg-type]
    assert (network.input_size, network.output_size) == (size, size // 2)
    with torch.no_grad():
        assert network(torch.rand(2, 3, size, size)).shape == (2, size // 2, size // 2)


def test_a_segmentation_sees_the_whole_crop(context: Context) -> None:
    network = pyramid_segmentation(Segmentation(network="mobilenet", input_size=64), context)
    crop = torch.rand(1, 3, 64, 64, requires_grad=True)
    network(crop)[0, 0, 0].backward()
    assert crop.grad is not None
    assert bool((crop.grad.abs().sum(dim=1)[0, -8:, -8:] > 0).any())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", [Localization, Segmentation])
def test_the_first_layers_stay_as_they_were_pretrained(
    kind: type[Localization | Segmentation], name: str, context: Context
) -> None:
    build = build_localization if kind is Localization else build_segmentation
    network = build(kind(network=name), context)  # type: ignore[arg-type]
    encoder = network.encoder if isinstance(network, PyramidSegmentation) else network.trunk.encoder
    trained = [parameter.requires_grad for parameter in encoder.parameters()]
    assert not trained[0]
    assert trained[-1]
    assert trained == sorted(trained)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_whole_model_has_at_most_six_million_parameters(name: str, context: Context) -> None:
    networks = [
        build_localization(Localization(network="mobilenet", scale="predicted"), context),
        build_segmentation(Segmentation(network=name, depth=2), context),  # type: ignore[arg-type]
    ]
    assert sum(p.numel() for network in networks for p in network.parameters()) <= 6_000_000
