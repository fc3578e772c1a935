"""`model.safetensors`: trained weights, with the settings that their use depends on and a digest of it all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from jointtask.api.errors import ConfigError
from jointtask.tools import text
from jointtask.tools.tensorfile import digest, save_tensors

__all__ = ["read_model", "require_finite_weights", "write_model"]

_KEY = "jointtask"
"""The one key of the metadata: safetensors writes several in an order that changes from run to run."""


def write_model(path: Path, weights: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write trained weights.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    weights : mapping of str to Tensor
        The tensors of both networks, ``<role>.<name>``.
    description : mapping
        Plain values that a user of the file alone should know, such as the preprocessing.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    metadata = {"digest": digest(plain, description), "description": description}
    save_tensors(path, plain, {_KEY: json.dumps(metadata)})


def read_model(path: Path, remedy: str) -> dict[str, Tensor]:
    """Read trained weights; a file from before there were digests is taken without one.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    remedy : str
        Advice for a file that is damaged.

    Raises
    ------
    ConfigError
        If it cannot be read, its content is not what was written, or a weight is not finite.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(_KEY, "{}"))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping, a file
        if metadata and digest(weights, metadata["description"]) != metadata["digest"]:
            raise ValueError("its content does not match its digest")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged", cause=str(error), remedy=remedy) from error
    require_finite_weights(weights, path, remedy)
    return weights


def require_finite_weights(weights: Mapping[str, Tensor], source: Path, remedy: str) -> None:
    """Raise a `ConfigError` if a weight is NaN or infinite: nothing that is predicted with it would mean anything."""
    bad = [
        name
        for name, tensor in weights.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if bad:
        raise ConfigError(f"{source} holds weights that are not finite", cause=text.listing(bad), remedy=remedy)
