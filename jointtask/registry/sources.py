"""Records of plugins: where each comes from, and what of it is used."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

import pluggy
from attrs import frozen

from jointtask.api.errors import UserError
from jointtask.tools.text import shortened

__all__ = ["CORE", "Failure", "Plugins", "Source", "reason"]

CORE = "jointtask"
"""The name of the core's own plugin."""

_LONGEST = 1000  # characters of an exception's own text that are shown


@frozen
class Source:
    """Where a plugin comes from.

    Attributes
    ----------
    plugin : str
        Name of the plugin: that of its entry point, or of its file.
    distribution, version : str
        Name and version of what is installed; for a single file or module, its name and a digest of its content.
    module : str
        Dotted name of the module that holds its hooks.
    """

    plugin: str
    distribution: str
    version: str
    module: str = ""

    @property
    def named(self) -> bool:
        """Whether it was given with ``--plugin``, and not installed."""
        return self.version.startswith("sha256:")

    @property
    def root(self) -> str:
        """The package that its code lies in; a module inside the core stands for itself."""
        return self.module if self.module.startswith(f"{CORE}.") else self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@frozen
class Failure:
    """Something that a plugin gave and that is not used, with the reason."""

    source: Source
    reason: str


@frozen(eq=False)
class Plugins:
    """The outcome of loading.

    Attributes
    ----------
    manager : pluggy.PluginManager
        Holds the plugins that were loaded.
    loaded : dict of str to Source
        The source of each of them, by plugin name.
    failures : sequence of Failure
        Plugins that were refused.
    disabled : sequence of Source
        Plugins that the user disabled.
    """

    manager: pluggy.PluginManager
    loaded: dict[str, Source]
    failures: Sequence[Failure]
    disabled: Sequence[Source]


def reason(error: BaseException, source: Source | None = None) -> str:
    """Say in one line what an exception from a plugin was, and where it was raised.

    Parameters
    ----------
    error : BaseException
        The exception, with its traceback.
    source : Source, optional
        The plugin: the line shown is the last one of its own code, where there is one, and not a library's.
    """
    if isinstance(error, UserError):
        return error.message
    line = shortened(" ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":"), _LONGEST)
    frames = list(traceback.walk_tb(error.__traceback__))
    own = [frame for frame in frames if source is not None and _belongs(frame[0].f_globals.get("__name__"), source)]
    if not frames or (not own and frames[-1][0].f_code.co_filename.startswith("<")):
        return line
    frame, number = (own or frames)[-1]
    return f"{line} ({Path(frame.f_code.co_filename).name}, line {number})"


def _belongs(module: object, source: Source) -> bool:
    return isinstance(module, str) and bool(source.root) and f"{module}.".startswith(f"{source.root}.")
