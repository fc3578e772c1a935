from __future__ import annotations

import pytest
import torch
from jointtask_object_extraction.bridge.likelihood import MaskTarget
from jointtask_object_extraction.networks.segmentation import FiveLayers
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode


def _unstarted(release: bool) -> FiveLayers:
    """Make a network whose parameters are not computed: for counting and shapes."""
    with torch.device("meta"):
        network = FiveLayers(release=release)
    return network.to_empty(device="cpu")


def _crops(count: int) -> Tensor:
    return torch.rand(count, 3, 55, 55, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def paper() -> FiveLayers:
    torch.manual_seed(0)
    return FiveLayers(release=False).eval()


@pytest.mark.parametrize(
    ("release", "parameters", "multiply_adds"),
    [(False, 95_279_556, 2_077_459_200), (True, 94_173_636, 1_386_259_200)],  # 95.28 M, 2.08 G; 94.17 M, 1.39 G
)
def test_parameters_and_multiply_adds_are_the_papers(release: bool, parameters: int, multiply_adds: int) -> None:
    network = _unstarted(release)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(_crops(1))
    assert counter.get_total_flops() // 2 == multiply_adds


@pytest.mark.parametrize("release", [False, True])
def test_maps_are_55_51_25_25_25_25_12(release: bool) -> None:
    network = _unstarted(release)
    sizes: list[tuple[int, ...]] = []
    for name in ("conv1", "conv2", "conv3", "conv4", "fc5"):
        network.get_submodule(name).register_forward_hook(
            lambda _module, inputs, output: sizes.extend((tuple(inputs[0].shape[1:]), tuple(output.shape[1:])))
        )
    with torch.no_grad():
        assert network(_crops(2)).shape == (2, 50, 50)
    assert sizes == [
        *((3, 55, 55), (256, 51, 51)),
        *((256, 25, 25), (384, 25, 25)),
        *((384, 25, 25), (384, 25, 25)),
        *((384, 25, 25), (256, 25, 25)),
        *((256 * 12 * 12,), (2500,)),
    ]


def test_it_starts_as_the_release_does(paper: FiveLayers) -> None:
    for name, bias in (("conv1", 1.0), ("conv2", 0.0), ("conv3", 1.0), ("conv4", 1.0), ("fc5", 0.0)):
        layer = paper.get_submodule(name)
        weight, start = layer.get_parameter("weight"), layer.get_parameter("bias")
        # The fewest weights are conv1's 19,200: their standard deviation lies within 3 % but once in 10^8 seeds.
        assert weight.std().item() == pytest.approx(0.01, rel=0.03)
        assert torch.equal(start, torch.full_like(start, bias))


def test_crops_are_brought_to_caffes_scale(paper: FiveLayers) -> None:
    white = paper.standardise(torch.ones(1, 3, 2, 2))
    expected = torch.tensor([255.0 - 123, 255 - 117, 255 - 104]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    torch.testing.assert_close(white, expected)


def test_a_batch_is_its_examples_one_by_one(paper: FiveLayers) -> None:
    crops = _crops(3)
    with torch.no_grad():
        together = paper(crops)
        single = torch.cat([paper(crop[None]) for crop in crops])
    torch.testing.assert_close(together, single, rtol=1e-4, atol=1e-4)


def test_gradients_reach_every_parameter_and_groups_hold_them_all(paper: FiveLayers) -> None:
    groups = paper.parameter_groups()
    assert groups.keys() == {"convolutional", "connected"}
    assert [len(groups[name]) for name in ("convolutional", "connected")] == [8, 2]
    target = MaskTarget(torch.ones(1, 50, 50, dtype=torch.bool), torch.ones(1), torch.zeros(1))
    paper.energy(paper(_crops(1)), target).sum().backward()
    unmoved = [name for name, p in paper.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unmoved
    paper.zero_grad(set_to_none=True)
