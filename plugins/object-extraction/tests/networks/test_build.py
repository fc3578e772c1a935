"""The networks that a run file names are those that are built."""

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
