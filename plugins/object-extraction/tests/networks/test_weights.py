from __future__ import annotations

import errno
import hashlib
import io
import urllib.error
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import pytest
import torch
from jointtask_object_extraction.networks.layers import Standardise
from jointtask_object_extraction.networks.localization import build_localization
from jointtask_object_extraction.networks.weights import (
    IMAGENET,
    MOBILENET_V2,
    SQUEEZENET,
    fetch,
    load_convolutions,
    same_names,
)
from jointtask_object_extraction.settings import Localization
from safetensors.torch import load_file, save_file
from torch import nn

from jointtask.api import ConfigError, RunError

URL = "https://weights.example/network.safetensors"
SHARED = Path(__file__).resolve().parents[5] / "shared"
ALEXNET = SHARED / "weights" / "alexnet_conv1-5.safetensors"
ALEXNET_SHA256 = "fa50b4ad34c49aa3b99a05815c408f0b43457ec27199ec88a646905ea9e03cda"


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 1)


@pytest.fixture
def content() -> dict[str, torch.Tensor]:
    return {"a.weight": torch.randn(3, 2, 1, 1).half(), "a.bias": torch.randn(3).half(), "other": torch.zeros(1)}


@pytest.fixture
def file(tmp_path: Path, content: dict[str, torch.Tensor]) -> Path:
    path = tmp_path / "w.safetensors"
    save_file(content, path)
    return path


NAMES = {"a.weight": "conv.weight", "a.bias": "conv.bias"}


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Response(io.BytesIO):
    """What a server sends: a body, the length it announces, and what breaks the transfer."""

    headers: dict[str, str]
    error: Exception | None

    def read(self, size: int | None = -1) -> bytes:
        if self.error is not None:
            raise self.error
        return super().read(size)


def _serve(
    monkeypatch: pytest.MonkeyPatch, body: bytes, *, announced: int | None = None, error: Exception | None = None
) -> list[str]:
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> Response:
        asked.append(url)
        response = Response(body)
        response.headers = {} if announced is None else {"Content-Length": str(announced)}
        response.error = error
        return response

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    return asked


def test_tensors_arrive_in_the_networks_precision(file: Path, content: dict[str, torch.Tensor], tmp_path: Path) -> None:
    net = Net()
    load_convolutions(net, str(file), _sha(file).upper(), NAMES, cache=tmp_path)
    assert net.conv.weight.dtype == torch.float32
    assert net.conv.weight.requires_grad
    assert torch.equal(net.conv.weight, content["a.weight"].float())
    assert torch.equal(net.conv.bias, content["a.bias"].float())  # type: ignore[arg-type]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no weights at .*nowhere\.safetensors"):
        fetch(str(tmp_path / "nowhere.safetensors"), "", cache=tmp_path)


def test_wrong_digest_of_a_local_file(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not the file that `sha256` names") as caught:
        fetch(str(file), "0" * 64, cache=tmp_path)
    assert _sha(file) in str(caught.value)


def test_missing_keys_and_wrong_shapes_are_all_listed_and_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a.weight": torch.zeros(3, 5, 1, 1)}, path)
    net = Net()
    before = net.conv.weight.detach().clone()
    with pytest.raises(ConfigError) as caught:
        load_convolutions(net, str(path), "", NAMES, cache=tmp_path)
    assert "a.weight: (3, 5, 1, 1), not (3, 2, 1, 1)" in str(caught.value)
    assert "a.bias: missing" in str(caught.value)
    assert torch.equal(net.conv.weight, before)


@pytest.mark.parametrize("new", [True, False])
def test_a_pickle_is_refused_unread(tmp_path: Path, new: bool) -> None:
    path = tmp_path / "w.pt"
    torch.save({"a": torch.zeros(1)}, path, _use_new_zipfile_serialization=new)
    with pytest.raises(ConfigError, match="not a safetensors file") as caught:
        load_convolutions(Net(), str(path), "", NAMES, cache=tmp_path)
    assert "pickle" in caught.value.cause


@pytest.mark.parametrize("body", [b"", b"<html>not found</html>", b"\xff" * 64])
def test_another_file_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(body)
    with pytest.raises(ConfigError, match="not a safetensors file"):
        load_convolutions(Net(), str(path), "", NAMES, cache=tmp_path)


def test_a_url_needs_a_digest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="need `sha256`"):
        fetch(URL, "", cache=tmp_path)


def test_only_https(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot come from"):
        fetch("http://weights.example/w.safetensors", "0" * 64, cache=tmp_path)


def test_a_download_is_kept_and_made_again_if_damaged(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _serve(monkeypatch, file.read_bytes())
    cache = tmp_path / "cache"
    path = fetch(URL, _sha(file), cache=cache)
    assert path.read_bytes() == file.read_bytes()
    assert fetch(URL, _sha(file), cache=cache) == path
    assert asked == [URL]
    path.write_bytes(b"damaged")
    fetch(URL, _sha(file), cache=cache)
    assert asked == [URL, URL]
    assert path.read_bytes() == file.read_bytes()
    assert list(path.parent.iterdir()) == [path]


def test_a_truncated_download_leaves_nothing(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(monkeypatch, file.read_bytes()[:-1])
    with pytest.raises(ConfigError, match="not the file that `sha256` names"):
        fetch(URL, _sha(file), cache=tmp_path / "cache")
    assert list((tmp_path / "cache" / "weights").iterdir()) == []


def test_a_failed_download_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(url: str, timeout: float) -> Any:
        raise urllib.error.URLError("name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    with pytest.raises(RunError, match="could not download") as caught:
        fetch(URL, "0" * 64, cache=tmp_path)
    assert caught.value.cause == "name or service not known"
    assert list((tmp_path / "weights").iterdir()) == []


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), IncompleteRead(b"abc"), ConnectionResetError("reset")]
)
def test_a_broken_transfer_or_a_full_disk_leaves_nothing(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(monkeypatch, b"", error=error)
    with pytest.raises(RunError, match="could not download"):
        fetch(URL, "0" * 64, cache=tmp_path)
    assert list((tmp_path / "weights").iterdir()) == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_download_that_is_too_large_is_broken_off(
    announced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jointtask_object_extraction.networks.weights._LARGEST", 1000)
    _serve(monkeypatch, b"x" * 1001, announced=1001 if announced else None)
    with pytest.raises(RunError) as caught:
        fetch(URL, "0" * 64, cache=tmp_path)
    assert "larger than" in caught.value.cause
    assert list((tmp_path / "weights").iterdir()) == []


def test_a_transfer_that_ends_early_is_called_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(monkeypatch, b"x" * 40, announced=50)
    with pytest.raises(RunError) as caught:
        fetch(URL, "0" * 64, cache=tmp_path)
    assert caught.value.cause == "broken transfer: 40 of 50 bytes came"


@pytest.mark.parametrize(
    "sha256", ["../../x", "0" * 63, "0" * 65, "g" * 64, "../" * 21 + "a", "0" * 64 + "\n", "/etc/passwd"]
)
def test_a_digest_is_64_hexadecimal_digits_before_it_names_a_file(sha256: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no sha256"):
        fetch(URL, sha256, cache=tmp_path / "cache")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        Localization(sha256=sha256)


def test_input_scales() -> None:
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    by_scale = [(MOBILENET_V2, [1.0, -1.0, -1.0]), (SQUEEZENET, [-104.0, -117.0, 255.0 - 123.0])]
    by_scale.append((IMAGENET, [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]))
    for scale, expected in by_scale:
        torch.testing.assert_close(Standardise(scale, white=255)(red).flatten(), torch.tensor(expected))
        torch.testing.assert_close(Standardise(scale, white=1)(red / 255).flatten(), torch.tensor(expected))


@pytest.mark.shared
@pytest.mark.skipif(not ALEXNET.is_file(), reason="the shared weights are not beside the project")
@pytest.mark.parametrize("release", [False, True])
def test_alexnet_goes_into_the_localization_network(release: bool, tmp_path: Path) -> None:
    network = "release" if release else "paper"
    settings = Localization(network=network, weights=str(ALEXNET), sha256=ALEXNET_SHA256)
    context: Any = type("Context", (), {"cache": tmp_path})
    net = build_localization(settings, context)
    tensors = load_file(ALEXNET)
    for key in same_names(("conv1", "conv2", "conv3", "conv4", "conv5")):
        parameter = net.get_parameter(key)
        assert torch.equal(parameter, tensors[key].float()), key
        assert parameter.requires_grad is not release
    assert net.get_parameter("fc6.weight").requires_grad
