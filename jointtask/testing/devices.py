"""Whether a bridge stays on the device of its batch: asked of torch's device without data, and of a real one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from jointtask.api.bridge import Bridge
from jointtask.api.task import Batch
from jointtask.api.tree import leaves, map_tensors

__all__ = ["check_device"]


def check_device(bridge: Bridge, batch: Batch, downstream: Any) -> None:
    """Require that everything a bridge gives is on its batch's device.

    It is asked on the device "meta", which holds shapes and no data, so that a machine without an accelerator can
    tell; what reads values cannot be told there and is passed over. With an accelerator, it is asked there as well.

    Raises
    ------
    AssertionError
        Naming the method and the devices.
    """
    with torch.inference_mode():
        base = bridge.base(batch)[:, None]
        prediction = downstream(bridge.condition(batch, base).input)
    for device in ("meta", "cuda") if torch.cuda.is_available() else ("meta",):
        there = {name: tensor.to(device) for name, tensor in batch.items()}
        reference = base.to(device)
        predicted = map_tensors(partial(torch.Tensor.to, device=device), prediction)
        states = bridge.grid.states.to(reference)
        _require(device, "base", bridge.base, there)
        _require(device, "reference", bridge.reference, reference[:, 0], states)
        _require(device, "usable", bridge.usable, reference)
        _require(device, "admit", bridge.admit, reference)
        _require(device, "condition", bridge.condition, there, reference)
        _require(device, "restore", bridge.restore, predicted, reference)


def _require(device: str, method: str, call: Callable[..., Any], *arguments: Any) -> None:
    try:
        with torch.inference_mode():
            given = call(*arguments)
    except Exception as error:
        # On "meta" only a mixture of devices is a fault: whatever reads a value fails there and is right elsewhere.
        mixed = "is not on the expected device" in str(error) or "same device" in str(error)
        if device == "meta" and not mixed:
            return
        raise AssertionError(
            f"{method} fails on a batch of another device: {error}; expected its constants on the batch's device"
        ) from error
    devices = {leaf.device.type for leaf in leaves(given)}
    assert devices <= {device}, (
        f"{method} gives tensors on {', '.join(sorted(devices))} for a batch on another device ('{device}');"
        " expected the batch's own"
    )
