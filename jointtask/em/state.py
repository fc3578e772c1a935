"""The state of a run between two batches: what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from attrs import Factory, asdict, define, frozen
from cattrs import structure
from torch import Tensor

from jointtask.api.record import RoundRecord, ScoreRecord
from jointtask.em.diagnostics import Diagnostics
from jointtask.em.latents import Latents
from jointtask.em.optimizer import TaskOptimizer
from jointtask.em.pair import Pair
from jointtask.em.scaling import LossScale
from jointtask.tools.tensorfile import digest

__all__ = ["Checkpoint", "State"]


@frozen(eq=False)
class Checkpoint:
    """The content of a checkpoint file.

    Attributes
    ----------
    tensors : mapping of str to Tensor
        Weights, optimizer states, latents and diagnostics, on the CPU.
    state : mapping
        Everything but the tensors, as plain JSON values.
    """

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


@define(eq=False)
class State:
    """The only thing that changes while a run is trained; it can be saved between any two batches.

    Attributes
    ----------
    pair : Pair
        The networks.
    optimizers : mapping of str to TaskOptimizer
        The optimizer of each network, by role.
    latents : Latents
        Estimates and previous optima of the training examples.
    diagnostics : Diagnostics or None
        Diagnostics of the unfinished E-step; None outside of one.
    round : int
        The unfinished round; 0 is the warm-up.
    sampled : bool
        Whether the E-step of this round is done.
    epochs : int
        Finished epochs of this round.
    epoch : int
        Finished epochs of the run.
    offset : int
        Examples of the unfinished E-step or epoch that are done.
    sums : dict of str to float
        Losses of the unfinished epoch, or of the last one, summed over its examples, by role.
    average : dict of str to Tensor
        Moving average of the weights, by ``<role>.<name>``; empty unless `em.average` asks for it.
    best : dict of str to Tensor
        Weights of the best round, by ``<role>.<name>``; empty unless `em.keep` asks for them.
    best_round : int or None
        Round of the best validation score so far; None if `em.patience` and `em.keep` do not ask for it.
    best_score : float or None
        That score.
    record : RoundRecord
        Record of the unfinished round, filled as far as it has come.
    history : list of RoundRecord
        Records of the finished rounds.
    clock : dict of str to float
        Seconds of the unfinished round, by phase.
    timing : list of dict
        Seconds of the finished rounds, by round and phase.
    scale : LossScale or None
        Scale of the loss, in float16.
    validated : dict of str to ScoreRecord
        Scores on the validation data after the warm-up ("start") and after the last finished round ("latest").
    """

    pair: Pair
    optimizers: Mapping[str, TaskOptimizer]
    latents: Latents
    diagnostics: Diagnostics | None = None
    round: int = 0
    sampled: bool = False
    epochs: int = 0
    epoch: int = 0
    offset: int = 0
    sums: dict[str, float] = Factory(dict)
    average: dict[str, Tensor] = Factory(dict)
    best: dict[str, Tensor] = Factory(dict)
    best_round: int | None = None
    best_score: float | None = None
    record: RoundRecord = Factory(lambda: RoundRecord(round=0))
    history: list[RoundRecord] = Factory(list)
    clock: dict[str, float] = Factory(dict)
    timing: list[dict[str, Any]] = Factory(list)
    scale: LossScale | None = None
    validated: dict[str, ScoreRecord] = Factory(dict)

    def checkpoint(self) -> Checkpoint:
        """Return everything that a run needs to go on from here."""
        tensors: dict[str, Tensor] = {}
        for role, module in self.pair.modules.items():
            tensors |= {f"model.{role}.{name}": tensor for name, tensor in module.state_dict().items()}
        for role, optimizer in self.optimizers.items():
            tensors |= {f"optimizer.{role}.{name}": tensor for name, tensor in optimizer.state_tensors().items()}
        tensors |= {f"latents.{name}": tensor for name, tensor in self.latents.tensors().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        if self.diagnostics is not None:
            tensors |= {f"diagnostics.{name}": tensor for name, tensor in self.diagnostics._asdict().items()}
        state: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        state |= {"record": asdict(self.record), "history": [asdict(record) for record in self.history]}
        state["validated"] = {name: asdict(scores) for name, scores in self.validated.items()}
        if self.scale is not None:
            state["scale"] = self.scale.state()
        return Checkpoint(tensors=tensors, state=state)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        for name in _PLAIN:
            if name in checkpoint.state:
                setattr(self, name, checkpoint.state[name])
        self.record = structure(checkpoint.state["record"], RoundRecord)
        self.history = structure(checkpoint.state["history"], list[RoundRecord])
        self.validated = structure(checkpoint.state["validated"], dict[str, ScoreRecord])
        if self.scale is not None:
            self.scale.restore(checkpoint.state["scale"])
        for role, module in self.pair.modules.items():
            module.load_state_dict(_under(checkpoint.tensors, f"model.{role}."))
        for role, optimizer in self.optimizers.items():
            optimizer.load_state_tensors(_under(checkpoint.tensors, f"optimizer.{role}."))
        self.latents = Latents(**_under(checkpoint.tensors, "latents."))
        self.average = _on(self.pair.device, _under(checkpoint.tensors, "average."))
        self.best = _on(self.pair.device, _under(checkpoint.tensors, "best."))
        diagnostics = _under(checkpoint.tensors, "diagnostics.")
        self.diagnostics = Diagnostics(**diagnostics) if diagnostics else None

    def agreement(self) -> dict[str, object]:
        """Return what all processes of a run must agree on: its progress and a digest of the weights."""
        checkpoint = self.checkpoint()
        learnt = {name: tensor for name, tensor in checkpoint.tensors.items() if name.startswith(("model.", "optim"))}
        progress = {name: getattr(self, name) for name in ("round", "sampled", "epochs", "epoch", "offset")}
        weights = digest({name: tensor.cpu().contiguous() for name, tensor in learnt.items()}, {})
        return {**progress, "weights": weights}


_PLAIN = ("round", "sampled", "epochs", "epoch", "offset", "sums", "clock", "timing", "best_round", "best_score")


def _on(device: torch.device, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in tensors.items()}


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
