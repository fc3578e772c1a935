"""Pretrained convolutions: from a local safetensors file or a URL, checked, into a network."""

from __future__ import annotations

import hashlib
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO

import torch
from attrs import frozen
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from jointtask.api import ConfigError, RunError
from jointtask.tools import replacing

__all__ = [
    "CAFFE_RGB",
    "EFFICIENTNET_LITE",
    "IMAGENET",
    "MOBILENET_V2",
    "SQUEEZENET",
    "InputScale",
    "fetch",
    "load_convolutions",
    "same_names",
]

_BLOCK = 1 << 20
_LARGEST = 2 << 30
"""Bytes of a download at most: pretrained convolutions have at most some hundred million."""

_TIMEOUT = 60.0


@frozen
class InputScale:
    """What a network's weights ask of their input: ``(image - mean) / std`` by channel, image in [0, 255].

    Attributes
    ----------
    mean, std : tuple of 3 float
        Mean and standard deviation by channel, in the network's order, in grey levels.
    bgr : bool
        Whether the network's channels are blue, green, red.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False


IMAGENET = InputScale(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
"""ImageNet's mean and standard deviation: AlexNet's weights, and most of torchvision's."""

SQUEEZENET = InputScale(mean=(104.0, 117.0, 123.0), std=(1.0, 1.0, 1.0), bgr=True)
"""Caffe's scale, for SqueezeNet 1.0 by its authors."""

CAFFE_RGB = InputScale(mean=(123.0, 117.0, 104.0), std=(1.0, 1.0, 1.0))
"""Caffe's scale with channels in our order, for networks that start at random in Caffe's manner."""

MOBILENET_V2 = InputScale(mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5))
"""[-1, 1], for MobileNetV2 by its authors."""

EFFICIENTNET_LITE = InputScale(mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))
"""About [-1, 1], for EfficientNet-Lite by its authors."""


def same_names(prefixes: Iterable[str]) -> dict[str, str]:
    """Name the weights and biases of layers that a file and a network call by the same names."""
    return {f"{prefix}.{part}": f"{prefix}.{part}" for prefix in prefixes for part in ("weight", "bias")}


def load_convolutions(module: nn.Module, source: str, sha256: str, names: Mapping[str, str], *, cache: Path) -> None:
    """Copy pretrained tensors into a network, in the network's own precision.

    Parameters
    ----------
    module : torch.nn.Module
        Network that the tensors are copied into.
    source : str
        Path of a safetensors file, or an https URL of one.
    sha256 : str
        Digest of the file, 64 hexadecimal digits; may be empty for a local file.
    names : mapping of str to str
        Keys of the file by parameter or buffer of the module. Other keys of the file are not read.
    cache : pathlib.Path
        Folder that downloads are kept in, under ``weights/``.

    Raises
    ------
    ConfigError
        If the file is missing, is not safetensors, has another digest, or lacks a tensor of the right shape;
        the module is then unchanged.
    RunError
        If a download fails.
    """
    path = fetch(source, sha256, cache=cache)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ConfigError(
            f"{source} is not a safetensors file",
            cause=f"{error}"
            if not _is_pickle(path)
            else "it looks like a pickle, and loading a pickle can run any code",
            remedy="convert it: safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'out.safetensors')",
        ) from error
    targets = module.state_dict()
    faults = [_fault(key, tensors.get(key), targets[name]) for key, name in names.items()]
    if any(faults):
        raise ConfigError(
            f"{source} does not hold the weights of this network:\n  " + "\n  ".join(filter(None, faults)),
            cause=f"the file holds {len(tensors)} tensors: {', '.join(sorted(tensors)[:6])}, ...",
            remedy="name a file made for this network, or leave `weights` empty",
        )
    with torch.no_grad():
        for key, name in names.items():
            targets[name].copy_(tensors[key])


def fetch(source: str, sha256: str, *, cache: Path) -> Path:
    """Return the local path of a file or https URL, downloaded once, its digest verified.

    Raises
    ------
    ConfigError
        If the file is missing, the digest is wrong or none, or a URL comes without one.
    RunError
        If a download fails, or is larger than 2 GiB.
    """
    expected = sha256.lower()
    if expected and not re.fullmatch("[0-9a-f]{64}", expected):  # it names a file in the cache
        raise ConfigError(
            f"'{sha256[:80]}' is no sha256", remedy="give the 64 hexadecimal digits that `sha256sum FILE` prints"
        )
    if "://" not in source:
        path = Path(source).expanduser()
        if not path.is_file():
            raise ConfigError(
                f"no weights at {path.absolute()}", remedy="check the path; it starts at the working folder"
            )
        if expected:
            _require_digest(source, _digest(path), expected)
        return path
    if not source.startswith("https://"):
        raise ConfigError(f"weights cannot come from {source}", remedy="give a local path or an https URL")
    if not expected:
        raise ConfigError(
            f"weights from {source} need `sha256`",
            cause="what a URL gives may change, and a run must not change with it",
            remedy="set `sha256` beside `weights` to the digest that their publisher states",
        )
    path = cache / "weights" / f"{expected}.safetensors"
    if not (path.is_file() and _digest(path) == expected):
        _download(source, expected, path)
    return path


def _download(url: str, expected: str, path: Path) -> None:
    """Write the content of `url` to `path`, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            with urllib.request.urlopen(url, timeout=_TIMEOUT) as response, temporary.open("wb") as stream:
                _copy(response, stream, url)
            _require_digest(url, _digest(temporary), expected)
    except (OSError, HTTPException) as error:  # no name, no answer, a full disk
        raise RunError(
            f"could not download {url}",
            cause=_cause(error),
            remedy="try again, or download it yourself and give its path as `weights`",
        ) from error


def _cause(error: Exception) -> str:
    if isinstance(error, HTTPException):
        return f"broken transfer: {error}"
    return str(error.reason if isinstance(error, urllib.error.URLError) else error)


def _copy(response: HTTPResponse, stream: BinaryIO, url: str) -> None:
    """Copy what a server sends.

    Raises
    ------
    RunError
        If it is more than `_LARGEST` bytes, or ends before it is whole.
    """
    said = response.headers.get("Content-Length", "")
    expected = int(said) if said.isdecimal() else None
    received = 0
    while expected is None or expected <= _LARGEST:
        chunk = response.read(_BLOCK)
        received += len(chunk)
        if received > _LARGEST:
            break
        if not chunk:
            if expected is not None and received < expected:
                raise RunError(
                    f"could not download {url}",
                    cause=f"broken transfer: {received:,} of {expected:,} bytes came",
                    remedy="try again, or download it yourself and give its path as `weights`",
                )
            return
        stream.write(chunk)
    raise RunError(
        f"could not download {url}",
        cause=f"it is larger than {_LARGEST >> 20:,} MiB, more than pretrained weights need",
        remedy="check the address, or download it yourself and give its path as `weights`",
    )


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _require_digest(source: str, digest: str, expected: str) -> None:
    if digest != expected:
        raise ConfigError(
            f"{source} is not the file that `sha256` names",
            cause=f"its sha256 is {digest}, not {expected}",
            remedy="give the file that was meant, or its own digest",
        )


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4).startswith((b"PK\x03\x04", b"\x80"))  # torch's zip archives, and bare pickles


def _fault(key: str, tensor: Tensor | None, target: Tensor) -> str | None:
    if tensor is None:
        return f"{key}: missing"
    if tensor.shape != target.shape:
        return f"{key}: {tuple(tensor.shape)}, not {tuple(target.shape)}"
    return None
