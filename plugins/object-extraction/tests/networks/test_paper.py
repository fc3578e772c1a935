"""The paper's two networks and the authors' release of them, as a run file names them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from jointtask_object_extraction.networks.localization import EightLayers, build_localization
from jointtask_object_extraction.networks.segmentation import FiveLayers, build_segmentation
from jointtask_object_extraction.settings import Localization, Segmentation


@pytest.mark.parametrize("name", ["paper", "release"])
@pytest.mark.parametrize(
    ("build", "settings", "expected"),
    [(build_localization, Localization, EightLayers), (build_segmentation, Segmentation, FiveLayers)],
)
def test_build_makes_the_network_that_is_named(build: Any, settings: Any, expected: type, name: str) -> None:
    with torch.device("meta"):
        network = build(settings(network=name), None)
    assert isinstance(network, expected)
    assert network.release == (name == "release")


@pytest.mark.parametrize(
    ("network", "inputs", "release", "order"),
    [
        (EightLayers, {"image": torch.zeros(1, 3, 224, 224)}, False, ["norm", "pool", "norm", "pool", "pool"]),
        (EightLayers, {"image": torch.zeros(1, 3, 224, 224)}, True, ["pool", "norm", "pool", "norm", "pool"]),
        (FiveLayers, torch.zeros(1, 3, 55, 55), False, ["norm", "pool", "pool"]),
        (FiveLayers, torch.zeros(1, 3, 55, 55), True, ["pool", "norm", "norm", "pool"]),
    ],
)
def test_order_of_normalisation_and_pooling(network: Any, inputs: Any, release: bool, order: list[str]) -> None:
    with torch.device("meta"):
        made = network(release=release).to_empty(device="cpu")
    seen: list[str] = []
    for name in ("norm", "pool"):
        made.get_submodule(name).register_forward_hook(lambda *_, name=name: seen.append(name))
    with torch.no_grad():
        made(inputs)
    assert seen == order
