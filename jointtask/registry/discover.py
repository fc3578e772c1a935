"""Discover plugins, block them by name, and isolate every load: one that fails is a row with its reason."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from attrs import frozen

from jointtask.api.errors import ConfigError, PluginError
from jointtask.registry.entry import DISABLE, GROUP
from jointtask.registry.hooks import make_manager, verify_hooks
from jointtask.registry.sources import CORE, Failure, Plugins, Source, reason
from jointtask.registry.version import why_unsupported

__all__ = ["DISABLE", "GROUP", "code_digest", "load_one_more", "load_plugins"]

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@frozen
class _Candidate:
    source: Source
    load: Callable[[], object]


def load_plugins(files: Sequence[str | os.PathLike[str]] = ()) -> Plugins:
    """Load every installed plugin that is not disabled, the core's own among them, and those that are named.

    Parameters
    ----------
    files : sequence of path
        Files that are one plugin each, or dotted names of modules.

    Returns
    -------
    Plugins
        A plugin that cannot be loaded, or whose hooks are wrong, is a failure in it and does no other harm.

    Raises
    ------
    ConfigError
        If one of `files` does not exist or cannot be read.
    """
    candidates = [*_installed(files), *map(_named, files)]
    blocked = _blocked()
    disabled = tuple(candidate.source for candidate in candidates if candidate.source.plugin in blocked)
    failures: list[Failure] = []
    plugins = Plugins(manager=make_manager(), loaded={}, failures=failures, disabled=disabled)
    names = Counter(candidate.source.plugin for candidate in candidates)
    for candidate in candidates:
        source = candidate.source
        if source.plugin in blocked:
            continue
        if names[source.plugin] > 1:
            others = [str(c.source) for c in candidates if c.source.plugin == source.plugin]
            failures.append(Failure(source, f"the plugin name '{source.plugin}' is claimed by {' and '.join(others)}"))
            continue
        failures += _load(plugins, candidate)
    return plugins


def load_one_more(plugins: Plugins, module: str) -> bool:
    """Load a module of the core's own as one more plugin.

    Returns
    -------
    bool
        False if it is loaded already, disabled, or cannot be loaded.
    """
    if module in plugins.loaded or module in _blocked():
        return False
    return not _load(plugins, _named(module))


def _blocked() -> set[str]:
    return {name.strip() for name in os.environ.get(DISABLE, "").split(",")}


def _load(plugins: Plugins, candidate: _Candidate) -> list[Failure]:
    """Add a plugin to those that are loaded; return why not, if it cannot be."""
    source = candidate.source
    try:
        plugin = candidate.load()
        verify_hooks(plugin)
        plugins.manager.register(plugin, source.plugin)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an import may raise anything, SystemExit too
        return [Failure(source, reason(error, source))]
    plugins.loaded[source.plugin] = source
    return []


def _installed(named: Sequence[str | os.PathLike[str]]) -> Iterator[_Candidate]:
    """Find what is installed; of a plugin that is named as a file or module as well, what is named is taken."""
    modules = {Path(file).stem if str(file).endswith(".py") else str(file) for file in named}
    files = {_origin(file) for file in named} - {None}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name != CORE, entry.name)):
        if entry.value in modules or (files and _origin(entry.value) in files):
            continue
        distribution = entry.dist
        name = distribution.name if distribution else entry.value
        version = distribution.version if distribution else "unknown"

        def load(entry: EntryPoint = entry) -> object:
            if entry.dist is not None and (why := why_unsupported(entry.dist)):
                raise PluginError(why)
            return entry.load()

        yield _Candidate(Source(entry.name, name, version, entry.module), load)


def _origin(file: str | os.PathLike[str]) -> Path | None:
    """Return the file that a path, or a module's dotted name, stands for."""
    path = Path(file)
    if path.exists():
        return path.resolve()
    if not _DOTTED.fullmatch(str(file)):
        return None
    try:
        spec = importlib.util.find_spec(str(file))
    except KeyboardInterrupt:
        raise
    except BaseException:  # a package around the module is imported by this, and may fail as it likes
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin else None


def _named(file: str | os.PathLike[str]) -> _Candidate:
    """Take a file, or a module by its dotted name where there is no such file."""
    path, origin = Path(file), _origin(file)
    if not path.exists() and origin is not None and origin.is_file():
        source = Source(str(file), str(file), _digest(origin.read_bytes()), str(file))
        return _Candidate(source, lambda: importlib.import_module(str(file)))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"--plugin {path}: {error.strerror}",
            remedy="name an existing Python file, or a module that can be imported",
        ) from error
    return _single(path, content)


def code_digest(plugin: object) -> str:
    """Return a digest of all Python files of the package, or of the one file, that a plugin's module belongs to."""
    root = sys.modules[getattr(plugin, "__name__", "").partition(".")[0]]
    folders = [Path(folder) for folder in getattr(root, "__path__", ())]
    files = sorted(path for folder in folders for path in folder.rglob("*.py")) or [Path(root.__file__ or "")]
    return _digest(b"\0".join(path.read_bytes() for path in files))


def _digest(content: bytes) -> str:
    import hashlib

    return f"sha256:{hashlib.sha256(content).hexdigest()[:12]}"


def _single(path: Path, content: bytes) -> _Candidate:
    name = f"jointtask_file_{path.stem}"

    def load() -> object:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise PluginError("not a Python file: its name does not end in .py")
        module = importlib.util.module_from_spec(spec)
        # Annotations are resolved through sys.modules, so the module has to be there before its classes are used.
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    return _Candidate(Source(path.stem, path.name, _digest(content), name), load)
