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
    "DatasetComponent",
    "NoSettings",
    "PanelComponent",
    "SamplerComponent",
    "TrainedComponent",
    "TrivialComponent",
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
        Device of the networks.
    workers : int
        Largest number of workers that prepare data.
    cache : pathlib.Path
        Folder for what can be made again.
    progress : Progress
        Display of the progress of long work.
    downstream : torch.nn.Module or None
        Downstream task; a bridge reads from it the shapes of its input and output.
    bridge : Bridge or None
        Bridge; an upstream task reads from it what its references are.
    grid : LatentGrid or None
        Grid of adjustments of the bridge.
    train : Dataset or None
        Training data; a predictor may learn from it.
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
        Value of the key `name` in the component's table: lower case, words joined by hyphens.
    settings : type
        Frozen attrs class of the other keys of the table, made with `jointtask.api.setting`.
    build : callable
        Function ``build(settings, context)`` that makes the object of the kind's protocol, heavy imports inside.
    summary : str
        Line for ``jointtask components``.
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
        Whether the draws follow the posterior as their number grows.
    proposal : "all", "none" or tuple of str
        Names of the proposal terms that the sampler uses; only these are prepared.
    """

    exact: bool = field(kw_only=True)
    proposal: Literal["all", "none"] | tuple[str, ...] = field(kw_only=True)


@frozen
class DatasetComponent(Component):
    """A data set that can be indexed, so that a start need not look at every example.

    Attributes
    ----------
    index : callable
        Function ``index(settings, context)`` that writes whatever `build` opens in place of the data - columns
        (`jointtask.tools.write_columns`) in the cache folder, as a rule -, and returns the number of examples. Called
        by ``jointtask data index`` alone. It does not read again what has not changed, and goes on where a killed one
        was.
    """

    index: Callable[[Any, Context], int] = field(kw_only=True)


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
class TrivialComponent(Component):
    """A predictor that gives the same whatever its input: every run of its bridges is scored beside it by default.

    Attributes
    ----------
    bridges : tuple of str
        Names of the bridges whose predictions it makes.
    """

    bridges: tuple[str, ...] = field(kw_only=True)


@frozen
class PanelComponent(Component):
    """The example panels that a pair draws for the report.

    Attributes
    ----------
    bridge : str
        Name of the bridge whose runs it can draw.
    """

    bridge: str = field(kw_only=True)


@frozen
class Command:
    """A command that a plugin adds to ``jointtask``.

    Attributes
    ----------
    name : str
        Word that is typed after ``jointtask``.
    summary : str
        Line for ``jointtask --help``.
    target : str
        Function with typer annotations as ``"module:function"``, imported when the command is called.
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
        Function of settings and context as ``"module:function"``.
    """

    def build(settings: Any, context: Context) -> Any:
        module, _, function = target.partition(":")
        return getattr(import_module(module), function)(settings, context)

    return build
