"""The optimizer of one task network: rates by parameter group, a schedule by step, a state by parameter name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from jointtask.api.errors import ConfigError, PluginError, RunError
from jointtask.api.task import Task
from jointtask.runfile.schema import Optimizer

__all__ = ["TaskOptimizer", "make_optimizer", "schedule_factor"]

_STEPS = "steps"


def schedule_factor(table: Optimizer, step: int, total_epochs: int, steps_per_epoch: int) -> float:
    """Return the factor on every rate at one step: a function of the step alone, so a resumed run needs no more.

    Parameters
    ----------
    table : Optimizer
        The settings of the optimizer.
    step : int
        Number of the step, from 0.
    total_epochs : int
        Number of epochs of the whole run, warm-up included.
    steps_per_epoch : int
        Number of steps in an epoch, at least 1.

    Returns
    -------
    float
        At least 0.
    """
    rise = min(1.0, (step + 1) / (table.warmup_steps + 1))
    if table.schedule == "cosine":
        done = step / max(1, total_epochs * steps_per_epoch)
        return rise * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
    if table.schedule == "step":
        return rise * table.step_factor ** (step // steps_per_epoch // table.step_epochs)
    return rise


def make_optimizer(task: nn.Module, table: Optimizer, total_epochs: int, steps_per_epoch: int) -> TaskOptimizer:
    """Make the optimizer that a run file asks for.

    Parameters whose rate is 0 stop requiring gradients, and those that the network froze itself stay as they are.

    Parameters
    ----------
    task : torch.nn.Module
        A `jointtask.api.task.Task`, on its device.
    table : Optimizer
        The settings.
    total_epochs, steps_per_epoch : int
        For the schedule.

    Raises
    ------
    ConfigError
        If `rates` names a group that the task does not have, or gives a rate to one that its network keeps frozen.
    PluginError
        If a parameter of the task is in no group, or in two.
    """
    groups = cast(Task, task).parameter_groups()
    unknown = sorted(set(table.rates) - set(groups))
    if unknown:
        raise ConfigError(
            f"optimizer.rates names no parameter group: {', '.join(unknown)}",
            remedy=f"the groups of {type(task).__name__} are: {', '.join(sorted(groups))}",
        )
    group_of = {id(parameter): name for name, members in groups.items() for parameter in members}
    named = dict(task.named_parameters())
    if len(group_of) != sum(map(len, groups.values())) or group_of.keys() != {id(p) for p in named.values()}:
        lost = [name for name, parameter in named.items() if id(parameter) not in group_of]
        raise PluginError(
            f"{type(task).__name__}.parameter_groups does not hold every parameter exactly once",
            cause=f"in no group: {', '.join(lost)}" if lost else "a parameter is in two groups, or not the module's",
        )
    for group, members in groups.items():
        if table.rates.get(group, 0.0) > 0 and members and not any(p.requires_grad for p in members):
            raise ConfigError(
                f"optimizer.rates gives a rate to '{group}', which this network keeps frozen",
                remedy="remove the rate, or choose another network",
            )

    rates: dict[str, float] = {}
    for name, parameter in named.items():
        rate = table.rates.get(group_of[id(parameter)], table.rate) * (table.bias_rate if _is_bias(name) else 1.0)
        if rate == 0:
            parameter.requires_grad_(False)
        if parameter.requires_grad:
            rates[name] = rate
    return TaskOptimizer({name: named[name] for name in rates}, rates, table, total_epochs, steps_per_epoch)


class TaskOptimizer:
    """SGD with momentum or AdamW over named parameters, each with its own rate; made by `make_optimizer`.

    Parameters
    ----------
    parameters : mapping of str to Parameter
        What is trained.
    rates : mapping of str to float
        The rate of each, before the schedule.
    table : Optimizer
        The other settings.
    total_epochs, steps_per_epoch : int
        For the schedule.

    Attributes
    ----------
    steps : int
        Steps made so far.
    """

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        rates: Mapping[str, float],
        table: Optimizer,
        total_epochs: int,
        steps_per_epoch: int,
    ) -> None:
        self.steps = 0
        self._parameters = dict(parameters)
        self._table = table
        self._total_epochs = total_epochs
        self._steps_per_epoch = steps_per_epoch
        settings: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in parameters.items():
            decay = 0.0 if _is_bias(name) else table.weight_decay
            settings.setdefault((rates[name], decay), []).append(parameter)
        self._rates = [rate for rate, _ in settings]
        groups = [{"params": members, "weight_decay": decay} for (_, decay), members in settings.items()]
        self._optimizer: torch.optim.Optimizer | None = None
        if groups and table.name == "sgd":
            self._optimizer = torch.optim.SGD(groups, lr=0.0, momentum=table.momentum)
        elif groups:
            self._optimizer = torch.optim.AdamW(groups, lr=0.0)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def step(self) -> None:
        """Move the parameters along their gradients.

        Raises
        ------
        RunError
            If, at the first step, a parameter that should learn has no gradient.
        """
        if self.steps == 0:
            self._require_gradients()
        if self._table.clip > 0:
            torch.nn.utils.clip_grad_norm_(self._parameters.values(), self._table.clip)
        factor = schedule_factor(self._table, self.steps, self._total_epochs, self._steps_per_epoch)
        if self._optimizer is not None:
            for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * factor
            self._optimizer.step()
        self.steps += 1

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the whole state as contiguous tensors by name: ``steps``, and ``<parameter>:<slot>`` for each slot.

        The tensors may share memory with the optimizer: write or copy them before the next step.
        """
        state = {_STEPS: torch.tensor(self.steps)}
        for name, parameter in self._parameters.items():
            for slot, value in self._slots(parameter).items():
                if isinstance(value, Tensor):
                    state[f"{name}:{slot}"] = value.detach().contiguous()
        return state

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Continue exactly where `state_tensors` was called.

        Raises
        ------
        RunError
            If the state is that of other parameters; nothing is then changed.
        """
        slots: dict[str, dict[str, Tensor]] = {name: {} for name in self._parameters}
        for key, value in state.items():
            name, _, slot = key.rpartition(":")
            if key == _STEPS:
                continue
            parameter = self._parameters.get(name)
            if parameter is None or value.shape not in ((), parameter.shape):
                raise RunError(f"the saved optimizer state does not fit this network: {key} {tuple(value.shape)}")
            # A layout other than the parameter's would take another code path, and round differently.
            slots[name][slot] = (
                value.clone() if value.ndim == 0 and slot == "step" else torch.empty_like(parameter).copy_(value)
            )
        if _STEPS not in state:
            raise RunError("the saved optimizer state does not say how many steps were made")
        self.steps = int(state[_STEPS])
        if self._optimizer is not None:
            for name, parameter in self._parameters.items():
                self._optimizer.state[parameter] = slots[name]

    def _slots(self, parameter: nn.Parameter) -> Mapping[str, Any]:
        return {} if self._optimizer is None else self._optimizer.state.get(parameter, {})

    def _require_gradients(self) -> None:
        lost = [name for name, parameter in self._parameters.items() if parameter.grad is None]
        if lost:
            raise RunError(
                f"{len(lost)} of {len(self._parameters)} parameters got no gradient: {', '.join(lost[:6])}",
                cause="they do not take part in the energy, so they would never learn",
                remedy="mend the network, or freeze them: a rate of 0 for their group in optimizer.rates",
            )


def _is_bias(name: str) -> bool:
    return name.rpartition(".")[2].startswith("bias")
