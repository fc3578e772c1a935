"""The commands of plugins as `--help` lists them, remembered between calls: a slow plugin does not slow the help."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from zlib import crc32

from jointtask.api import __version__
from jointtask.api.names import printable
from jointtask.registry.entry import DISABLE, GROUP
from jointtask.tools.cache_folder import cache_folder

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["remember", "remembered"]


def remembered() -> dict[str, str] | None:
    """Return the summaries of all plugins' commands by name, if the plugins are those that were remembered.

    What is remembered is shown, and nothing of it is imported: a command is looked up among the plugins when it is
    called.

    Returns
    -------
    dict of str to str, or None
        None if a plugin was added, removed or edited since, or nothing can be read.
    """
    try:
        with open(_file(), encoding="utf-8") as stream:  # noqa: PTH123  # without pathlib, help is quicker
            stored = json.load(stream)
        known = stored["commands"]
        if stored["of"] != _plugins():
            return None
        return {printable(name): printable(summary) for name, summary in known.items()}
    except Exception:  # whatever is wrong with the file or the plugins, they are loaded and say so themselves
        return None


def remember(registry: Registry) -> None:
    """Remember the commands of the plugins that are loaded, unless one of them failed: it may be mended unseen."""
    if registry.failures:
        return
    from contextlib import suppress

    from jointtask.tools.files import write_atomic

    known = {name: entry.item.summary for name, entry in registry.entries["command"].items()}
    with suppress(Exception):  # a cache that cannot be written costs a little time, and nothing else
        cache_folder().mkdir(parents=True, exist_ok=True)
        write_atomic(_file(), json.dumps({"of": _plugins(), "commands": known}))


def _file() -> str:
    """Return the path of the file: one for each set of plugins that are disabled."""
    disabled = os.environ.get(DISABLE, "").encode(errors="surrogateescape")
    return os.path.join(cache_folder(), f"commands-{crc32(disabled):08x}.json")  # noqa: PTH118


def _plugins() -> list[Any]:
    """Return what the commands depend on: versions, what is disabled, and when the plugins' files were written last."""
    found = []
    for entry in entry_points(group=GROUP):
        distribution = [entry.dist.name, entry.dist.version] if entry.dist else ["", ""]
        found.append([entry.name, entry.value, *distribution, *_written(entry.module)])
    found.sort()
    return [__version__, sys.version, os.environ.get(DISABLE, ""), found]


def _written(module: str) -> tuple[int, int]:
    """Return the number of Python files of a module's top package, and the time of the latest change to one."""
    spec = find_spec(module.partition(".")[0])  # imports nothing
    if spec is None:
        return 0, 0
    places = spec.submodule_search_locations
    if not places:
        return 1, os.stat(spec.origin or "").st_mtime_ns  # noqa: PTH116
    times = [time for place in places for time in _times(place)]
    return len(times), max(times, default=0)


def _times(folder: str) -> Iterator[int]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                yield entry.stat().st_mtime_ns
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _times(entry.path)
