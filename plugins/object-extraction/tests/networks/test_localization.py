from __future__ import annotations

from typing import Any

import pytest
import torch
from jointtask_object_extraction.networks.localization import EightLayers
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode


def _unstarted(release: bool) -> EightLayers:
    """Make a network whose parameters are not computed: for counting and shapes."""
    with torch.device("meta"):
        network = EightLayers(release=release)
    return network.to_empty(device="cpu").eval()


def _frames(count: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {"image": torch.randint(0, 256, (count, 3, 224, 224), dtype=torch.uint8, generator=generator)}


@pytest.fixture(scope="module")
def paper() -> EightLayers:
    torch.manual_seed(0)
    return EightLayers(release=False).eval()


@pytest.mark.parametrize("release", [False, True])
def test_parameters_and_multiply_adds_are_the_papers(release: bool) -> None:
    network = _unstarted(release)
    assert sum(parameter.numel() for parameter in network.parameters()) == 56_884_612  # 56.9 M
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(_frames(1))
    assert counter.get_total_flops() // 2 == 720_327_200  # 720 M


@pytest.mark.parametrize("release", [False, True])
def test_maps_are_55_27_13_6(release: bool) -> None:
    network = _unstarted(release)
    sizes: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Any:
        return lambda _module, inputs, output: sizes.update(
            {f"{name} in": tuple(inputs[0].shape[1:]), f"{name} out": tuple(output.shape[1:])}
        )

    for name in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6"):
        network.get_submodule(name).register_forward_hook(note(name))
    with torch.no_grad():
        assert network(_frames(2)).shape == (2, 4)
    assert sizes["conv1 in"] == ((3, 227, 227) if release else (3, 224, 224))
    assert sizes["conv1 out"] == (96, 55, 55)
    assert sizes["conv2 in"] == (96, 27, 27)
    assert sizes["conv2 out"] == (256, 27, 27)
    assert sizes["conv3 in"] == (256, 13, 13)
    assert sizes["conv4 out"] == (384, 13, 13)
    assert sizes["conv5 out"] == (256, 13, 13)
    assert sizes["fc6 in"] == (256 * 6 * 6,)


def test_release_sees_the_central_227_of_the_frame_scaled_to_256() -> None:
    network = _unstarted(True)
    seen: list[Tensor] = []
    network.conv1.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    with torch.no_grad():
        network({"image": torch.arange(224.0).expand(1, 3, 224, 224)})
    position = (torch.arange(14, 241) + 0.5) * 224 / 256 - 0.5  # pixel centres of the scaled frame, in frame units
    torch.testing.assert_close(seen[0], network.standardise(position.expand(1, 3, 227, 227)))


def test_a_fresh_network_starts_near_the_central_box(paper: EightLayers) -> None:
    with torch.no_grad():
        box = paper.reference(paper(_frames(4)))
    assert box.dtype == torch.float32
    assert (box - torch.tensor([56.0, 56.0, 168.0, 168.0])).abs().max() < 10


def test_a_batch_is_its_examples_one_by_one(paper: EightLayers) -> None:
    batch = _frames(3)
    with torch.no_grad():
        together = paper(batch)
        single = torch.cat([paper({"image": image[None]}) for image in batch["image"]])
    torch.testing.assert_close(together, single, rtol=1e-5, atol=1e-3)


def test_gradients_reach_every_parameter_and_groups_hold_them_all(paper: EightLayers) -> None:
    groups = paper.parameter_groups()
    assert groups.keys() == {"convolutional", "connected"}
    assert [len(groups[name]) for name in ("convolutional", "connected")] == [10, 6]
    paper.energy(paper(_frames(1)), torch.tensor([[10.0, 20.0, 200.0, 210.0]])).sum().backward()
    unmoved = [name for name, p in paper.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unmoved
    paper.zero_grad(set_to_none=True)


def test_only_the_papers_network_drops_units() -> None:
    assert _unstarted(False).dropout.p == 0.5
    assert _unstarted(True).dropout.p == 0.0


def test_boxes_are_float32_under_bfloat16(paper: EightLayers) -> None:
    batch = _frames(1)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        box = paper(batch)
    assert box.dtype == torch.float32
    assert not torch.equal(box, box.bfloat16().float())
