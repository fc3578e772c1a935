"""The device of a run: one that is named must be there."""

from __future__ import annotations

from typing import Literal

import torch

from jointtask.api.errors import ConfigError

__all__ = ["device_name", "resolve_device"]


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


def device_name(device: torch.device) -> str:
    """Return a readable name: the accelerator's, or the number of threads of the CPU."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({torch.get_num_threads()} threads)"
