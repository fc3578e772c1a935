from __future__ import annotations

from pathlib import Path

import pytest
import torch
from jointtask_object_extraction.bridge.likelihood import BoxPrediction, MaskTarget
from jointtask_object_extraction.networks.compact import SideHead, compact_localization, compact_segmentation
from jointtask_object_extraction.networks.localization import build_localization
from jointtask_object_extraction.networks.mobilenet import MobileNetV2
from jointtask_object_extraction.networks.weights import load_convolutions
from jointtask_object_extraction.settings import Localization, Segmentation
from safetensors.torch import load_file

from jointtask.api import ConfigError, Context
from jointtask.tools import SilentProgress

WEIGHTS = Path(__file__).parents[5] / "shared" / "weights" / "mobilenetv2_1.0.safetensors"
NETWORKS = ("compact", "compact-mobilenet")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    torch.manual_seed(0)
    return Context(torch.device("cpu"), workers=1, cache=tmp_path, progress=SilentProgress())


@pytest.fixture
def frames() -> torch.Tensor:
    return torch.randint(0, 256, (3, 3, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_box_does_not_depend_on_the_rest_of_the_batch(name: str, context: Context, frames: torch.Tensor) -> None:
    network = compact_localization(Localization(network=name), context)  # type: ignore[arg-type]
    with torch.no_grad():
        boxes = network({"image": frames})
        alone = network({"image": frames[1:2]})
    assert boxes.shape == (3, 4)
    assert boxes.dtype == torch.float32
    torch.testing.assert_close(boxes[1:2], alone, atol=1e-2, rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_segmentation_has_the_shapes_it_declares(name: str, context: Context) -> None:
    network = compact_segmentation(Segmentation(network=name), context)  # type: ignore[arg-type]
    size = network.input_size
    with torch.no_grad():
        logits = network(torch.rand(5, 3, size, size))
    assert logits.shape == (5, network.output_size, network.output_size)
    assert network.energy(logits, MaskTarget(torch.zeros_like(logits), torch.ones(5), torch.zeros(5))).shape == (5,)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_is_in_exactly_one_group(name: str, context: Context) -> None:
    for network in (
        compact_localization(Localization(network=name), context),  # type: ignore[arg-type]
        compact_segmentation(Segmentation(network=name), context),  # type: ignore[arg-type]
    ):
        grouped = [parameter for group in network.parameter_groups().values() for parameter in group]
        assert sorted(map(id, grouped)) == sorted(map(id, network.parameters()))


def test_each_side_is_the_position_that_its_map_attends_to() -> None:
    head = SideHead(4)
    with torch.no_grad():
        head.attend.weight.copy_(torch.eye(4).view(4, 4, 1, 1))
    maps = torch.zeros(1, 4, 14, 28)
    for side, (row, column) in enumerate([(5, 3), (2, 20), (9, 25), (13, 1)]):
        maps[0, side, row, column] = 100.0
    expected = torch.tensor([[3.5 * 8, 2.5 * 16, 25.5 * 8, 13.5 * 16]])
    torch.testing.assert_close(head(maps), expected)


def test_localization_learns_where_the_object_is(context: Context) -> None:
    random = torch.Generator().manual_seed(0)
    frames = torch.full((8, 3, 224, 224), 60, dtype=torch.uint8)
    corner = torch.randint(0, 120, (8, 2), generator=random)
    for frame, (x, y) in zip(frames, corner.tolist(), strict=True):
        frame[:, y : y + 80, x : x + 80] = 200
    boxes = torch.cat([corner, corner + 80], dim=1).float()
    network = compact_localization(Localization(), context)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(60):
        loss = network.energy(network({"image": frames}), boxes).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
    ignorant = network.energy(boxes.mean(dim=0, keepdim=True).expand(8, 4), boxes).mean()
    assert loss < 0.1 * ignorant


def test_compact_refuses_weights_that_it_cannot_use(context: Context) -> None:
    with pytest.raises(ConfigError, match="no pretrained weights"):
        compact_localization(Localization(weights="mobilenet.safetensors"), context)


@pytest.mark.shared
@pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"needs {WEIGHTS.name} in ../shared/weights")
def test_pretrained_weights_fill_every_convolution(context: Context) -> None:
    encoder = MobileNetV2((8, 16, 32))
    shapes = {name: tensor.shape for name, tensor in encoder.state_dict().items()}
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.fill_(torch.nan)
    load_convolutions(encoder, str(WEIGHTS), "", encoder.weight_names(), cache=context.cache)
    loaded = encoder.state_dict()
    assert {name: tensor.shape for name, tensor in loaded.items()} == shapes
    assert all(torch.isfinite(tensor).all() for tensor in loaded.values())
    file = load_file(WEIGHTS)
    assert torch.equal(loaded["features.17.path.2.weight"], file["features.17.conv.2.weight"].float())
    assert torch.equal(loaded["features.17.path.2.bias"], file["features.17.conv.3.bias"].float())
    assert [maps.shape[1:] for maps in encoder(torch.zeros(1, 3, 160, 160))] == [
        (32, 20, 20),
        (96, 10, 10),
        (320, 5, 5),
    ]


def test_a_predicted_scale_is_read_beside_each_side(context: Context, frames: torch.Tensor) -> None:
    network = compact_localization(Localization(network="compact", scale="predicted"), context)
    prediction = network({"image": frames})
    assert isinstance(prediction, BoxPrediction)
    assert prediction.log_scale.shape == (3, 4)
    assert torch.equal(network.reference(prediction), prediction.box)
    network.energy(prediction, torch.full((3, 4), 100.0)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_box_and_its_scale_are_float32_in_bfloat16(context: Context, frames: torch.Tensor) -> None:
    network = compact_localization(Localization(network="compact", scale="predicted"), context)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        prediction = network({"image": frames})
    assert isinstance(prediction, BoxPrediction)
    assert (prediction.box.dtype, prediction.log_scale.dtype) == (torch.float32, torch.float32)


def test_networks_of_the_paper_predict_no_scale(context: Context) -> None:
    with pytest.raises(ConfigError, match="'paper' does not predict its scale"):
        build_localization(Localization(network="paper", scale="predicted"), context)
