"""Where a run stands: what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from attrs import Factory, define, frozen
from torch import Tensor

from jointtask.em.latents import Latents
from jointtask.em.optimizer import TaskOptimizer
from jointtask.em.pair import Pair
from jointtask.tools.tensorfile import digest

__all__ = ["Checkpoint", "State"]


@frozen(eq=False)
class Checkpoint:
    """One checkpoint.

    Attributes
    ----------
    tensors : mapping of str to Tensor
        On the CPU.
    state : mapping
        The rest, as JSON.
    """

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


@define(eq=False)
class State:
    """The only thing that changes while a run works; it can be saved between any two batches.

    Attributes
    ----------
    pair : Pair
        The networks.
    optimizers : mapping of str to TaskOptimizer
        By role.
    latents : Latents
        Estimates and history of the training examples.
    columns : dict of str to Tensor
        Diagnostics of the E-step under way, (n,) or (n, J), by name.
    round : int
        The round under way; 0 is the warm-up.
    sampled : bool
        Whether its E-step is done.
    epochs : int
        Epochs of this round that are done.
    epoch : int
        Epochs of the run that are done.
    offset : int
        Examples of the pass under way that are done.
    sums : dict of str to float
        Energies summed over the epoch under way, or over the last one.
    estep : dict
        The finished E-step's part of the round's record.
    history : list of dict
        Records of finished rounds.
    clock : dict of str to float
        Seconds of this round by phase.
    timing : list of dict
        Seconds of finished rounds.
    """

    pair: Pair
    optimizers: Mapping[str, TaskOptimizer]
    latents: Latents
    columns: dict[str, Tensor] = Factory(dict)
    round: int = 0
    sampled: bool = False
    epochs: int = 0
    epoch: int = 0
    offset: int = 0
    sums: dict[str, float] = Factory(dict)
    estep: dict[str, Any] = Factory(dict)
    history: list[dict[str, Any]] = Factory(list)
    clock: dict[str, float] = Factory(dict)
    timing: list[dict[str, Any]] = Factory(list)

    def checkpoint(self) -> Checkpoint:
        """Return what a file needs to hold."""
        tensors: dict[str, Tensor] = {}
        state: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        for role, module in self.pair.modules.items():
            tensors |= {f"model.{role}.{name}": tensor for name, tensor in module.state_dict().items()}
        for role, optimizer in self.optimizers.items():
            tensors |= {f"optimizer.{role}.{name}": tensor for name, tensor in optimizer.state_tensors().items()}
        tensors |= {f"latents.{name}": tensor for name, tensor in self.latents.tensors().items()}
        tensors |= {f"columns.{name}": tensor for name, tensor in self.columns.items()}
        return Checkpoint(tensors=tensors, state=state)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take up what a checkpoint holds."""
        for name in _PLAIN:
            setattr(self, name, checkpoint.state[name])
        for role, module in self.pair.modules.items():
            module.load_state_dict(_under(checkpoint.tensors, f"model.{role}."))
        for role, optimizer in self.optimizers.items():
            optimizer.load_state_tensors(_under(checkpoint.tensors, f"optimizer.{role}."))
        self.latents = Latents(**_under(checkpoint.tensors, "latents."))
        self.columns = _under(checkpoint.tensors, "columns.")

    def standing(self) -> dict[str, object]:
        """Return where the run stands, in few words: what processes that share it must agree on."""
        checkpoint = self.checkpoint()
        learnt = {name: tensor for name, tensor in checkpoint.tensors.items() if name.startswith(("model.", "optim"))}
        place = {name: getattr(self, name) for name in ("round", "sampled", "epochs", "epoch", "offset")}
        return {**place, "weights": digest({name: tensor.cpu().contiguous() for name, tensor in learnt.items()}, {})}

    def keep(self, index: Tensor, columns: Mapping[str, Tensor], examples: int) -> None:
        """Write the diagnostics of some examples."""
        for name, value in columns.items():
            if name not in self.columns:
                self.columns[name] = torch.zeros(examples, *value.shape[1:], dtype=value.dtype)
            self.columns[name][index] = value


_PLAIN = ("round", "sampled", "epochs", "epoch", "offset", "sums", "estep", "history", "clock", "timing")


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
