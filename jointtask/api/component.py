"""The records that plugins return: components, commands, and the context in which a component is built."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

if TYPE_CHECKING:
    import torch

    from jointtask.api.bridge import Bridge
    from jointtask.api.dataset import Dataset
    from jointtask.api.grid import LatentGrid
    from jointtask.api.progress import Progress

__all__ = [
    "Command",
    "Component",
    "Context",
    "NoSettings",
    "PanelComponent",
    "SamplerComponent",
    "TrainedComponent",
    "deferred",
]


@frozen
class NoSettings:
    """The settings of a component that has none."""


@frozen
class Context:
    """What a component may know when it is built.

    Components are built in the order data sets, downstream task, bridge, upstream task, proposal terms, sampler,
    metrics, predictors, panels; a field is None until what it names has been built.

    Attributes
    ----------
    device : torch.device
        Where the networks run.
    workers : int
        How many workers may prepare data.
    cache : pathlib.Path
        Folder for what can be made again.
    progress : Progress
        Where long work reports.
    downstream : torch.nn.Module or None
        The downstream task; a bridge reads from it the shapes of its input and output.
    bridge : Bridge or None
        The bridge; an upstream task reads from it what its references are.
    grid : LatentGrid or None
        The bridge's grid of adjustments.
    train : Dataset or None
        The training data; a predictor may learn from it.
    """

    device: torch.device
    workers: int
    cache: Path
    progress: Progress
    downstream: Any = None
    bridge: Bridge | None = None
    grid: LatentGrid | None = None
    train: Dataset | None = None


@frozen
class Component:
    """Something a run file can name.

    Attributes
    ----------
    name : str
        Lower case, words joined by hyphens; the value of the key `name` in the component's table.
    settings : type
        A frozen attrs class: the other keys of the table, with their types, defaults and validators.
        Each field has a ``metadata={"help": ...}`` text, shown by ``jointtask components``.
    build : callable
        ``build(settings, context)`` makes the object that the kind's protocol describes. Heavy imports belong inside.
    summary : str
        One line for ``jointtask components``.
    """

    name: str
    settings: type
    build: Callable[[Any, Context], Any]
    summary: str


@frozen
class SamplerComponent(Component):
    """A sampler, with what the engine must know about it.

    Attributes
    ----------
    exact : bool
        Its draws follow the posterior as their number grows.
    proposal : "all", "none" or tuple of str
        The proposal terms that it uses; only these are prepared.
    """

    exact: bool = field(kw_only=True)
    proposal: Literal["all", "none"] | tuple[str, ...] = field(kw_only=True)


@frozen
class TrainedComponent(Component):
    """A predictor that is a trained pair, from which other runs may start: its name is a value of `run.start`.

    Attributes
    ----------
    directory : pathlib.Path
        A folder with the trained pair's `model.safetensors`.
    """

    directory: Path = field(kw_only=True)


@frozen
class PanelComponent(Component):
    """The example panels that a pair draws for the report.

    Attributes
    ----------
    bridge : str
        The name of the bridge whose runs it can draw.
    """

    bridge: str = field(kw_only=True)


@frozen
class Command:
    """A command that a plugin adds to ``jointtask``.

    Attributes
    ----------
    name : str
        As typed.
    summary : str
        One line for ``jointtask --help``.
    target : str
        ``"module:function"``, a function with typer annotations, imported when the command is called.
    use : str
        A command line that uses a trained run, in which RUN stands for the run directory, as in
        ``jointtask extract PHOTOS --model RUN``: shown by the reports of the plugin's own runs. Empty for none.
    """

    name: str
    summary: str
    target: str
    use: str = ""


def deferred(target: str) -> Callable[[Any, Context], Any]:
    """Return a `build` whose module is imported when something is built, so that listing components costs nothing.

    Parameters
    ----------
    target : str
        ``"module:function"``, a function of settings and context.
    """

    def build(settings: Any, context: Context) -> Any:
        module, _, function = target.partition(":")
        return getattr(import_module(module), function)(settings, context)

    return build
