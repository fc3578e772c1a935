"""Discover plugins, block them by name, isolate every load, attribute what goes wrong."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy
from attrs import frozen

from jointtask.api.errors import ConfigError, PluginError, UserError, did_you_mean
from jointtask.registry import hookspecs
from jointtask.registry.version import why_unsupported

__all__ = [
    "HOOKS",
    "Failure",
    "Plugins",
    "Source",
    "code_digest",
    "implementations",
    "load_plugins",
    "notify",
    "reason",
]

GROUP = "jointtask"
"""The entry-point group that plugins are found by."""

CORE = "jointtask"
"""The name of the core's own plugin."""

DISABLE = "JOINTTASK_DISABLE_PLUGINS"
"""The environment variable that names plugins not to load, separated by commas."""

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")

HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("jointtask_"))
"""The names of all hooks."""


@frozen
class Source:
    """Where a plugin comes from.

    Attributes
    ----------
    plugin : str
        Its name: that of its entry point, or of its file.
    distribution, version : str
        What is installed; for a single file or module, its name and a digest of its content.
    """

    plugin: str
    distribution: str
    version: str

    @property
    def named(self) -> bool:
        """Whether it was named with ``--plugin``, and not installed."""
        return self.version.startswith("sha256:")

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
    loaded : mapping of str to Source
        The source of each of them, by plugin name.
    failures : sequence of Failure
        Plugins that were refused.
    disabled : sequence of Source
        Plugins that the user disabled.
    """

    manager: pluggy.PluginManager
    loaded: Mapping[str, Source]
    failures: Sequence[Failure]
    disabled: Sequence[Source]


@frozen
class _Candidate:
    source: Source
    load: Callable[[], object]


def load_plugins(files: Sequence[str | os.PathLike[str]] = ()) -> Plugins:
    """Load every installed plugin that is not disabled, the core's own among them, and those that are named.

    Parameters
    ----------
    files : sequence of path
        Plugins that are one Python file each, or modules by their dotted names.

    Returns
    -------
    Plugins
        A plugin that cannot be loaded, or whose hooks are wrong, is a failure in it and does no other harm.

    Raises
    ------
    ConfigError
        If one of `files` does not exist.
    """
    candidates = [*_installed(files), *map(_named, files)]
    blocked = {name.strip() for name in os.environ.get(DISABLE, "").split(",")}
    manager = _manager()
    loaded: dict[str, Source] = {}
    failures: list[Failure] = []
    names = Counter(candidate.source.plugin for candidate in candidates)
    for candidate in candidates:
        source = candidate.source
        if source.plugin in blocked:
            continue
        if names[source.plugin] > 1:
            others = [str(c.source) for c in candidates if c.source.plugin == source.plugin]
            failures.append(Failure(source, f"the plugin name '{source.plugin}' is claimed by {' and '.join(others)}"))
            continue
        try:
            plugin = candidate.load()
            _verify(plugin)
            manager.register(plugin, source.plugin)
        except (Exception, SystemExit) as error:
            failures.append(Failure(source, reason(error)))
        else:
            loaded[source.plugin] = source
    return Plugins(
        manager=manager,
        loaded=loaded,
        failures=tuple(failures),
        disabled=tuple(c.source for c in candidates if c.source.plugin in blocked),
    )


def implementations(plugins: Plugins, hook: str) -> Iterator[tuple[Source, Callable[..., Any]]]:
    """Yield the implementations of one hook, each with its source and taking the hook's arguments by keyword."""
    for implementation in getattr(plugins.manager.hook, hook).get_hookimpls():
        source = plugins.loaded[implementation.plugin_name]
        function, taken = implementation.function, implementation.argnames

        def call(*, function: Callable[..., Any] = function, taken: Sequence[str] = taken, **arguments: object) -> Any:
            return function(*(arguments[name] for name in taken))

        yield source, call


def notify(plugins: Plugins, hook: str, /, **arguments: object) -> tuple[str, ...]:
    """Call every observer of a hook, each on its own.

    Parameters
    ----------
    plugins : Plugins
        The loaded plugins.
    hook : str
        Name of an observer hook.
    **arguments
        The hook's arguments.

    Returns
    -------
    tuple of str
        One warning line for each observer that raised.
    """
    lines = []
    for source, call in implementations(plugins, hook):
        try:
            call(**arguments)
        except (Exception, SystemExit) as error:
            lines.append(f"warning: {hook} of {source} raised {reason(error)}; the run goes on")
    return tuple(lines)


def reason(error: BaseException) -> str:
    """Say in one line what an exception from a plugin was, and where it was raised."""
    if isinstance(error, UserError):
        return error.message
    line = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or frames[-1].filename.startswith("<"):
        return line
    return f"{line} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("jointtask")
    manager.add_hookspecs(hookspecs)
    return manager


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

        yield _Candidate(Source(entry.name, name, version), load)


def _origin(file: str | os.PathLike[str]) -> Path | None:
    """Return the file that a path, or a module's dotted name, stands for."""
    path = Path(file)
    if path.exists():
        return path.resolve()
    if not _DOTTED.fullmatch(str(file)):
        return None
    try:
        spec = importlib.util.find_spec(str(file))
    except (Exception, SystemExit):  # a package around the module is imported by this, and may fail as it likes
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin else None


def _named(file: str | os.PathLike[str]) -> _Candidate:
    """Take a file, or a module by its dotted name where there is no such file."""
    path, origin = Path(file), _origin(file)
    if not path.exists() and origin is not None and origin.is_file():
        source = Source(str(file), str(file), _digest(origin.read_bytes()))
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
    def load() -> object:
        name = f"jointtask_file_{path.stem}"
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

    return _Candidate(Source(path.stem, path.name, _digest(content)), load)


def _verify(plugin: object) -> None:
    """Refuse a plugin whose hooks are misspelt, unmarked, wrappers, or take arguments that the hook has not."""
    trial = _manager()
    for name in dir(plugin):
        options = trial.parse_hookimpl_opts(plugin, name)
        if options is None:
            function = inspect.getattr_static(plugin, name)
            own = getattr(function, "__module__", None) == getattr(plugin, "__name__", None)
            if not (name.startswith("jointtask_") and inspect.isfunction(function) and own):
                continue
        hook = (options["specname"] if options else None) or name
        if hook not in HOOKS:
            raise PluginError(f"there is no hook '{hook}'{did_you_mean(hook, HOOKS, cutoff=0.0)}")
        if options is None:
            raise PluginError(f"the function {name} is not marked with @jointtask.hookimpl")
        if options["wrapper"] or options["hookwrapper"]:
            raise PluginError(f"{name} is a hook wrapper; hooks are collected and cannot be wrapped")
        has, takes = _arguments(getattr(hookspecs, hook)), _arguments(getattr(plugin, name))
        if not set(takes) <= set(has):
            known = f"the hook takes {' and '.join(has)}, or fewer" if has else "the hook takes no arguments"
            raise PluginError(f"wrong arguments in {name}({', '.join(takes)}): {known}")


def _arguments(function: Callable[..., Any]) -> list[str]:
    """Return the names of what must be given to a function: pluggy gives nothing to an argument with a default."""
    parameters = inspect.signature(function).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters if each.default is each.empty and each.kind not in variable]
