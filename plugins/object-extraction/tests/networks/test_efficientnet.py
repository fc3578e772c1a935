from __future__ import annotations

from pathlib import Path

import pytest
import torch
from jointtask_object_extraction.networks.bottleneck import rectified
from jointtask_object_extraction.networks.efficientnet import EfficientNetLite
from jointtask_object_extraction.networks.weights import load_convolutions
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

WEIGHTS = Path(__file__).parents[5] / "shared" / "weights"

VARIANTS = {"efficientnet-lite0": (24, 40, 112, 192), "efficientnet-lite2": (24, 48, 120, 208)}


@pytest.mark.parametrize(("variant", "channels"), VARIANTS.items())
def test_maps_have_the_strides_that_were_asked_for(variant: str, channels: tuple[int, ...]) -> None:
    encoder = EfficientNetLite(variant, (4, 8, 16, 32))
    assert encoder.channels == channels
    with torch.no_grad():
        maps = encoder(torch.zeros(1, 3, 64, 96))
    assert [tuple(scale.shape[1:]) for scale in maps] == [
        (count, 64 // stride, 96 // stride) for count, stride in zip(channels, (4, 8, 16, 32), strict=True)
    ]


def test_blocks_after_the_last_map_are_not_made() -> None:
    short, whole = (EfficientNetLite("efficientnet-lite0", strides) for strides in ((8, 16), (8, 16, 32)))
    assert len(short.blocks) < len(whole.blocks)
    assert short.channels == whole.channels[:2]


def test_the_first_stages_stay_as_they_were_pretrained() -> None:
    encoder = EfficientNetLite("efficientnet-lite2", (4, 8, 16, 32))
    encoder.freeze()
    trained = [any(p.requires_grad for p in block.parameters()) for block in (encoder.stem, *encoder.blocks)]
    assert trained == sorted(trained)  # frozen ones first
    assert trained.count(False) == 1 + 1 + 3 + 3  # the stem, and stages of one, three and three blocks


@pytest.mark.shared
@pytest.mark.parametrize("variant", VARIANTS)
def test_pretrained_weights_fill_every_convolution(variant: str, tmp_path: Path) -> None:
    path = WEIGHTS / f"{variant.replace('-', '_')}.safetensors"
    if not path.is_file():
        pytest.skip(f"needs {path.name} in ../shared/weights")
    encoder = EfficientNetLite(variant, (4, 8, 16, 32))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.fill_(torch.nan)
    load_convolutions(encoder, str(path), "", encoder.weight_names(), cache=tmp_path)
    assert all(torch.isfinite(tensor).all() for tensor in encoder.state_dict().values())
    file = load_file(path)
    assert torch.equal(encoder.state_dict()["blocks.7.path.1.1.weight"], file["blocks.7.depthwise.weight"].float())
    assert torch.equal(encoder.state_dict()["blocks.0.path.1.bias"], file["blocks.0.project.bias"].float())


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_is_that_of_tensorflow(kernel: int, stride: int) -> None:
    # TensorFlow's "same": output side ceil(n / s); the padding in all is (ceil(n / s) - 1) s + k - n, less of it first.
    torch.manual_seed(0)
    layer = rectified(4, 4, kernel=kernel, stride=stride, groups=4)
    convolution = layer[1]
    assert isinstance(convolution, nn.Conv2d)
    image = torch.rand(1, 4, 12, 12)
    total = (-(-12 // stride) - 1) * stride + kernel - 12
    near = total // 2
    padded = F.pad(image, (near, total - near, near, total - near))
    expected = F.relu6(F.conv2d(padded, convolution.weight, convolution.bias, stride, groups=4))
    torch.testing.assert_close(layer(image), expected)


@pytest.mark.parametrize(("kernel", "dtype"), [(3, torch.bfloat16), (5, torch.float32)])
def test_large_depthwise_convolutions_keep_single_precision_on_a_cpu(kernel: int, dtype: torch.dtype) -> None:
    layer = rectified(4, 4, kernel=kernel, groups=4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(torch.rand(1, 4, 8, 8)).dtype == dtype
