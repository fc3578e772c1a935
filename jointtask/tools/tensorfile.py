"""Tensors by name: written whole or not at all, and known by their digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from jointtask.api.errors import RunError
from jointtask.api.names import name_bytes
from jointtask.tools.files import replacing, set_mode

__all__ = ["digest", "save_tensors"]


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors by name.

    Raises
    ------
    RunError or OSError
        If the disk refuses; what was there before is untouched.
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode  # permissions of any other file; safetensors would leave 0600
        try:
            save_file(contiguous, temporary, dict(metadata or {}))
            set_mode(temporary, mode)
        except SafetensorError as error:
            raise RunError(
                f"{path} cannot be written", cause=str(error), remedy="free some space, and run the same command again"
            ) from error


def digest(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> str:
    """Return a BLAKE2 digest of contiguous tensors on the CPU, by name, and of plain values."""
    content = hashlib.blake2b(json.dumps(state).encode(), digest_size=16)
    for name in sorted(tensors):
        content.update(name_bytes(name))
        content.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return content.hexdigest()
