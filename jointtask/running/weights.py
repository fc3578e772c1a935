"""Trained weights of a pair: into its networks, from a run directory or a file of one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from jointtask.api.component import TrainedComponent
from jointtask.api.errors import ConfigError, did_you_mean
from jointtask.em.pair import Pair
from jointtask.registry.registry import Registry
from jointtask.running.model_file import read_model
from jointtask.tools import text

__all__ = ["digest_start", "load_pair", "pair_tensors", "start_from"]


def pair_tensors(pair: Pair) -> dict[str, Tensor]:
    """Return the weights of both networks, as ``<role>.<name>``: what `model.safetensors` holds."""
    return {
        f"{role}.{name}": tensor
        for role, module in pair.modules.items()
        for name, tensor in module.state_dict().items()
    }


def load_pair(pair: Pair, weights: Mapping[str, Tensor], source: Path, remedy: str) -> None:
    """Load ``<role>.<name>`` tensors into both networks, in the networks' own precision.

    Raises
    ------
    ConfigError
        If they do not fit.
    """
    for role, module in pair.modules.items():
        prefix = f"{role}."
        own = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
        if misfit := _misfit(module, own):
            raise ConfigError(
                f"the weights in {source} do not fit the {role} network", cause="; ".join(misfit), remedy=remedy
            )
        module.load_state_dict(own)


def _misfit(module: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Return what is missing, what is left over and what has another shape, by the names of the parameters."""
    own = module.state_dict()
    shapes = [
        f"{name} {tuple(weights[name].shape)}, where the network has {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    differences = {
        "missing": [name for name in own if name not in weights],
        "not in the network": [name for name in weights if name not in own],
        "of another shape": shapes,
    }
    return [f"{what}: {text.listing(names, 3)}" for what, names in differences.items() if names]


def start_from(pair: Pair, start: str, registry: Registry) -> None:
    """Start both networks from what a finished run trained: `run.start`; empty, they stay as they are.

    Raises
    ------
    ConfigError
        If there is no such run or file, or its weights do not fit these networks.
    """
    if not start:
        return
    path = _model(start, registry)
    try:
        weights = read_model(path, "name a model.safetensors that a run wrote")
    except ConfigError as error:
        error.message = f"run.start: {error.message}"
        raise
    load_pair(pair, weights, path, "start from a run of the same two networks, with the same settings")


def digest_start(start: str, registry: Registry) -> str:
    """Return the sha256 of the weights that a run starts from, empty where it starts from none."""
    if not start:
        return ""
    with _model(start, registry).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _model(start: str, registry: Registry) -> Path:
    """Return the file of weights that a run directory, a file or the name of a trained predictor stands for."""
    trained = {each.name: each for each in registry.components("predictor") if isinstance(each, TrainedComponent)}
    path = Path(start)
    if start in trained:
        path = trained[start].directory
    if path.is_dir():
        path = path / "model.safetensors"
    if not path.is_file():
        names = f", or one of {', '.join(trained)}" if trained else ""
        raise ConfigError(
            f"run.start: there is no {path}{did_you_mean(Path(start).name, trained)}",
            cause="the run is not finished" if (path.parent / "config.toml").exists() else "",
            remedy=f"name the directory of a finished run, or a model.safetensors{names}",
        )
    return path
