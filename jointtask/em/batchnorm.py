"""Batch normalisation where its statistics must stand still: in frozen groups, and over a single value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

__all__ = ["hold_frozen_statistics", "single_values_allowed"]


def hold_frozen_statistics(module: nn.Module) -> None:
    """Put the normalisation layers of frozen groups into evaluation mode: their running statistics stay as they are.

    A layer is frozen if none of its parameters requires a gradient; one without parameters, if none of those in the
    nearest module around it does.
    """
    for name, layer in module.named_modules():
        if isinstance(layer, _NormBase) and layer.training and _frozen(module, name):
            layer.eval()


def _frozen(module: nn.Module, name: str) -> bool:
    while True:
        parameters = list(module.get_submodule(name).parameters())
        if parameters:
            return not any(parameter.requires_grad for parameter in parameters)
        if not name:
            return False
        name = name.rpartition(".")[0]


@contextmanager
def single_values_allowed(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let a layer in training mode that sees one value a channel, which has no variance, use its running statistics."""
    handles = []

    def before(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        layer.training = inputs[0].numel() > inputs[0].shape[1]

    def after(layer: nn.Module, inputs: Any, output: Any) -> None:
        layer.training = True

    try:
        for module in modules:
            for layer in module.modules():
                if isinstance(layer, _NormBase) and layer.training:
                    handles += [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]
        yield
    finally:
        for handle in handles:
            handle.remove()
