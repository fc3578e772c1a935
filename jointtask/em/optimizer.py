"""The optimizer of one task network: rates by parameter group, a schedule by step, a state by parameter name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from attrs import frozen
from torch import Tensor, nn

from jointtask.api.errors import ConfigError, PluginError, RunError
from jointtask.api.optimizer import OptimizerFactory, Schedule
from jointtask.api.task import Task
from jointtask.em.slots import fits, placed
from jointtask.runfile.schema import OptimizerTable

__all__ = ["Plan", "TaskOptimizer", "make_optimizer"]

_STEPS = "steps"
_NUMBERS = {int: torch.int64, float: torch.float64}


@frozen(eq=False)
class Plan:
    """What a task's optimizer does step by step.

    Attributes
    ----------
    algorithm : OptimizerFactory
        The optimizer that the table names.
    schedule : Schedule
        The schedule that the table names.
    epochs : float
        Number of epochs of the whole run, warm-up included; one over a part of the data counts by its steps.
    steps_per_epoch : int
        Number of steps in an epoch, at least 1.
    """

    algorithm: OptimizerFactory
    schedule: Schedule
    epochs: float
    steps_per_epoch: int


def make_optimizer(role: str, task: nn.Module, table: OptimizerTable, plan: Plan, name: str = "") -> TaskOptimizer:
    """Make the optimizer of one task.

    Parameters whose rate is 0 stop requiring gradients; those that the network froze itself stay frozen.

    Parameters
    ----------
    role : str
        "upstream" or "downstream": the table of the run file, for errors.
    task : torch.nn.Module
        A `jointtask.api.task.Task`, on its device.
    table : OptimizerTable
        The settings.
    plan : Plan
        The optimizer and the schedule that the settings name, and the length of the run.
    name : str, optional
        Name of the task with its plugin, for errors; "the upstream task" or "the downstream task" by default.

    Raises
    ------
    ConfigError
        If `rates` names a group that the task does not have, or gives a rate to one that its network keeps frozen; or
        if the optimizer refuses its settings.
    PluginError
        If a parameter of the task is in no group, or in two.
    """
    name = name or f"the {role} task"
    groups = cast(Task, task).parameter_groups()
    unknown = sorted(set(table.rates) - set(groups))
    if unknown:
        raise ConfigError(
            f"{role}.optimizer.rates names no parameter group: {', '.join(unknown)}",
            remedy=f"the groups of {name} are: {', '.join(sorted(groups))}",
        )
    group_of = {id(parameter): name for name, members in groups.items() for parameter in members}
    named = dict(task.named_parameters())
    if len(group_of) != sum(map(len, groups.values())) or group_of.keys() != {id(p) for p in named.values()}:
        lost = [name for name, parameter in named.items() if id(parameter) not in group_of]
        raise PluginError(
            f"{name}: parameter_groups does not hold every parameter exactly once",
            cause=f"in no group: {', '.join(lost)}" if lost else "a parameter is in two groups, or not the module's",
            remedy="see jointtask.api.task.Task for the contract",
        )
    for group, members in groups.items():
        if table.rates.get(group, 0.0) > 0 and members and not any(p.requires_grad for p in members):
            raise ConfigError(
                f"{role}.optimizer.rates gives a rate to '{group}', which {name} keeps frozen",
                remedy="remove the rate, or choose another network",
            )

    rates: dict[str, float] = {}
    for each, parameter in named.items():
        rate = table.rates.get(group_of[id(parameter)], table.rate) * (table.bias_rate if _is_bias(each) else 1.0)
        if rate == 0:
            parameter.requires_grad_(False)
        if parameter.requires_grad:
            rates[each] = rate
    return TaskOptimizer(role, {each: named[each] for each in rates}, rates, table, plan, name)


class TaskOptimizer:
    """The optimizer of one task over named parameters, each with its own rate; made by `make_optimizer`.

    Parameters
    ----------
    role : str
        "upstream" or "downstream": the table of the run file, for errors.
    parameters : mapping of str to Parameter
        The parameters that learn, by name.
    rates : mapping of str to float
        The rate of each parameter, before the schedule.
    table : OptimizerTable
        The other settings.
    plan : Plan
        The optimizer and the schedule that the settings name, and the length of the run.
    name : str
        Name of the task with its plugin, for errors.

    Attributes
    ----------
    steps : int
        Number of steps so far.
    """

    def __init__(
        self,
        role: str,
        parameters: Mapping[str, nn.Parameter],
        rates: Mapping[str, float],
        table: OptimizerTable,
        plan: Plan,
        name: str,
    ) -> None:
        self.steps = 0
        self._role = role
        self._name = name
        self._parameters = dict(parameters)
        self._table = table
        self._plan = plan
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in parameters.items():
            decay = 0.0 if _is_bias(name) else table.weight_decay
            groups.setdefault((rates[name], decay), []).append(parameter)
        self._rates = [rate for rate, _ in groups]
        self._optimizer: torch.optim.Optimizer | None = None
        if groups:
            self._optimizer = plan.algorithm(
                [{"params": members, "lr": rate, "weight_decay": decay} for (rate, decay), members in groups.items()]
            )
            if table.weight_decay > 0 and "weight_decay" not in self._optimizer.defaults:
                raise ConfigError(
                    f"{role}.optimizer: '{table.name}' has no weight decay", remedy="remove weight_decay from its table"
                )
        self._made = self._group_numbers()

    @property
    def rate(self) -> float:
        """The largest learning rate of the next step; 0 if nothing learns."""
        return max(self._rates, default=0.0) * self._factor()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def step(self, scaler: torch.amp.GradScaler | None = None) -> None:
        """Move the parameters along their gradients.

        Parameters
        ----------
        scaler : torch.amp.GradScaler, optional
            Divides the gradients by the scale of the loss, and leaves the step out where one is not finite; the step
            counts in the schedule all the same.

        Raises
        ------
        RunError
            If, at the first step, a parameter that should learn has no gradient.
        """
        if self.steps == 0:
            self._require_gradients()
        if scaler is not None and self._optimizer is not None:
            scaler.unscale_(self._optimizer)
        if self._table.clip > 0:
            torch.nn.utils.clip_grad_norm_(self._parameters.values(), self._table.clip)
        if self._optimizer is not None:
            factor = self._factor()
            for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * factor
            if scaler is None:
                self._optimizer.step()
            else:
                scaler.step(self._optimizer)
        self.steps += 1

    def _factor(self) -> float:
        """Return the factor on every rate at the next step."""
        rise = min(1.0, (self.steps + 1) / (self._table.warmup_steps + 1))
        steps = round(self._plan.epochs * self._plan.steps_per_epoch)
        return rise * self._plan.schedule(self.steps, steps, self._plan.steps_per_epoch)

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the whole state as contiguous tensors by name.

        ``steps``; ``<parameter>:<slot>`` for each slot, followed by ``#`` and the type if it is a number and no tensor;
        and ``:<group>:<key>`` for each number that the optimizer has changed in a parameter group. Tensors may share
        memory with the optimizer: write or copy them before the next step.

        Raises
        ------
        RunError
            If the optimizer keeps something else, which could not be restored.
        """
        state = {_STEPS: torch.tensor(self.steps)}
        for name, parameter in self._parameters.items():
            for slot, value in self._slots(parameter).items():
                if isinstance(value, Tensor):
                    state[f"{name}:{slot}"] = value.detach().contiguous()
                elif type(value) in _NUMBERS:
                    state[f"{name}:{slot}#{type(value).__name__}"] = torch.tensor(value, dtype=_NUMBERS[type(value)])
                elif value is not None:
                    kind = type(value).__name__
                    raise RunError(
                        f"{self._role}.optimizer: '{self._table.name}' keeps a {kind}, '{slot}', in its state",
                        cause="a checkpoint holds tensors and numbers alone",
                        remedy="choose another optimizer",
                    )
        changed = {key: value for key, value in self._group_numbers().items() if self._made[key] != value}
        return state | {f":{group}:{key}": torch.tensor(value) for (group, key), value in changed.items()}

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Continue exactly where `state_tensors` was called.

        Raises
        ------
        RunError
            If the state is that of other parameters; nothing is then changed.
        """
        if _STEPS not in state:
            raise RunError("the saved optimizer state does not say how many steps were made")
        slots: dict[str, dict[str, Any]] = {name: {} for name in self._parameters}
        numbers: dict[tuple[int, str], Any] = {}
        for key, value in state.items():
            name, _, slot = key.rpartition(":")
            if key == _STEPS:
                continue
            if name.startswith(":"):
                numbers[int(name[1:]), slot] = value.item()
                continue
            parameter = self._parameters.get(name)
            if parameter is None or not fits(value, parameter):
                raise RunError(f"the saved optimizer state does not fit {self._name}: {key} {tuple(value.shape)}")
            slot, _, number = slot.partition("#")
            slots[name][slot] = value.item() if number else placed(value, slot, parameter)
        self.steps = int(state[_STEPS])
        if self._optimizer is not None:
            for name, parameter in self._parameters.items():
                self._optimizer.state[parameter] = slots[name]
            for (group, key), number in numbers.items():
                self._optimizer.param_groups[group][key] = number

    def _slots(self, parameter: nn.Parameter) -> Mapping[str, Any]:
        return {} if self._optimizer is None else self._optimizer.state.get(parameter, {})

    def _group_numbers(self) -> dict[tuple[int, str], int | float]:
        """Return the numbers in the parameter groups, but for the rate, by number of the group and key."""
        groups = [] if self._optimizer is None else self._optimizer.param_groups
        return {
            (number, key): value
            for number, group in enumerate(groups)
            for key, value in group.items()
            if key != "lr" and type(value) in (int, float)
        }

    def _require_gradients(self) -> None:
        lost = [name for name, parameter in self._parameters.items() if parameter.grad is None]
        if lost:
            count = f"{len(lost)} of {len(self._parameters)}"
            raise RunError(
                f"{self._name}: {count} parameters got no gradient: {', '.join(lost[:6])}",
                cause="they do not take part in the energy, so they would never learn",
                remedy="mend the network, or freeze them: a rate of 0 for their group in optimizer.rates",
            )


def _is_bias(name: str) -> bool:
    return name.rpartition(".")[2].startswith("bias")
