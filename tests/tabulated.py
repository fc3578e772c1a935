"""Tasks whose energies are exact numbers, and a sampler that can be told to die: for runs on several processes.

Sums of small integers are the same in any batch, so draws have to be the same to the bit.
"""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from jointtask import hookimpl
from jointtask.api import Component, DataError, NoSettings, SamplerComponent
from jointtask.em.samplers import metropolis_hastings

DYING = "TOY_DYING"
SPOILED = "TOY_SPOILED"


class _Idle(nn.Module):
    """Something to train that changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Parameter(torch.zeros(1))

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"all": [self.idle]}


class TabulatedLocate(_Idle):
    """The prediction is where the line is highest and lowest."""

    def forward(self, batch: Any) -> Tensor:
        line = batch["values"]
        return torch.stack([line.argmax(dim=1), line.argmin(dim=1)], dim=1).float()

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).abs().sum(dim=1) / 64 + 0 * self.idle

    def reference(self, prediction: Tensor) -> Tensor:
        return prediction


class TabulatedLabel(_Idle):
    """A sample that is above one half belongs to the bump."""

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs > 0.5).float()

    def energy(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).abs().sum(dim=1) + 0 * self.idle


@hookimpl
def jointtask_tasks() -> list[Component]:
    return [
        Component("tabulated-locate", NoSettings, lambda settings, context: TabulatedLocate(), "exact energies"),
        Component("tabulated-label", NoSettings, lambda settings, context: TabulatedLabel(), "exact energies"),
    ]


def sample(target: Any, random: Any) -> Any:
    """Sample as ever, but for the second process of a run that is told to die or to fail."""
    if os.environ.get("RANK") == "1":
        if DYING in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
        if SPOILED in os.environ:
            raise DataError("an example is spoiled", remedy="look after it")
    return metropolis_hastings.sample(target, random, moves=20)


@hookimpl
def jointtask_samplers() -> list[SamplerComponent]:
    def build(settings: NoSettings, context: Any) -> Any:
        return partial(sample)

    return [SamplerComponent("mortal", NoSettings, build, "Metropolis-Hastings", exact=True, proposal="all")]
