"""A plugin with one component of each kind that a run file must name, none of which can be built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from attrs import field, frozen, validators

from jointtask import hookimpl
from jointtask.api import Command, Component, NoSettings


@frozen
class Folder:
    path: str = field(metadata={"help": "where it is", "path": True})
    limit: int | None = None
    range: tuple[float, float] = (0.0, 1.0)
    mode: Literal["fast", "slow"] = "fast"


@frozen
class Network:
    widths: Sequence[int] = field(default=(8, 16), validator=validators.min_len(1))
    rates: Mapping[str, float] = field(factory=dict)
    bias: bool = True
    low: float = 0.0
    high: float = field(default=1.0)

    @high.validator
    def _above_low(self, attribute: Any, value: float) -> None:
        if value <= self.low:
            raise ValueError(f"must be above low, which is {self.low}, got {value}")


def _build(settings: Any, context: Any) -> Any:
    raise NotImplementedError


def _component(name: str, settings: type = NoSettings) -> Component:
    return Component(name, settings, _build, f"the {name}")


@hookimpl
def jointtask_tasks() -> list[Component]:
    return [_component("first-task", Network), _component("second-task", Network)]


@hookimpl
def jointtask_bridges() -> list[Component]:
    return [_component("plank")]


@hookimpl
def jointtask_datasets() -> list[Component]:
    return [_component("folder", Folder)]


@hookimpl
def jointtask_metrics() -> list[Component]:
    return [_component("accuracy"), _component("error")]


@hookimpl
def jointtask_predictors() -> list[Component]:
    return [_component("constant")]


@hookimpl
def jointtask_commands() -> list[Command]:
    return [Command("greet", "say hello", "light_commands:greet"), Command("broken", "cannot load", "no_such:thing")]
