"""The device of a run: one that is named must be there."""

from __future__ import annotations

from typing import Literal

import torch

from jointtask.api.errors import ConfigError

__all__ = ["device_name", "precision_on", "require_precision", "resolve_device"]

Precision = Literal["float32", "bfloat16", "float16"]


def resolve_device(wanted: Literal["auto", "cpu", "cuda", "mps"]) -> torch.device:
    """Return the device, or fail if it was named and is absent.

    Raises
    ------
    ConfigError
        If a named device is not there.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, here in present.items() if here))
    if not present[wanted]:
        raise ConfigError(
            f"run.device is '{wanted}', and there is none",
            cause=f"torch {torch.__version__} sees {', '.join(name for name, here in present.items() if here)}",
            remedy="use another device, or 'auto' to take the best one present",
        )
    return torch.device(wanted)


def require_precision(precision: Precision, device: torch.device) -> None:
    """Require a device that trains in a precision.

    Raises
    ------
    ConfigError
        If it is float16, and the device no CUDA device.
    """
    if precision == "float16" and device.type != "cuda":
        raise ConfigError(
            f"run.precision is 'float16', and the device is {device.type}",
            cause="only CUDA devices are fast in float16; its range is so small that the loss has to be scaled",
            remedy="set run.precision to 'bfloat16' or 'float32', or use a CUDA device",
        )


def precision_on(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the type of the forward passes on a device: what was trained in float16 is float32 where that is slow."""
    if precision == "float16" and device.type != "cuda":
        return torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]


def device_name(device: torch.device) -> str:
    """Return a readable name: the accelerator's, or the number of threads of the CPU."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({torch.get_num_threads()} threads)"
