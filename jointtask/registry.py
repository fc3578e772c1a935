"""Components by kind and name: who gave them, what was refused, and the nearest name to a misspelt one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

import attrs
from attrs import field, frozen

from jointtask.component import Command, Component, PanelComponent, SamplerComponent
from jointtask.describe import type_name
from jointtask.errors import ConfigError, PluginError
from jointtask.guard import guarded
from jointtask.plugins import Failure, Plugins, Source, code_digest, implementations, load_plugins, notify, reason

if TYPE_CHECKING:
    from jointtask.config import RunFile, Table

__all__ = ["KINDS", "TRIAL", "Entry", "Kind", "PluginRow", "Registry", "build_registry", "load_registry"]


@frozen
class Kind:
    """One kind of component.

    Attributes
    ----------
    hook : str
        The hook that gives it.
    record : type
        What the hook's items are.
    title : str
        The kind in words.
    core : tuple of str or None
        The keys of its run-file table that belong to the core; None for a kind that is named without a table, so that
        its settings all need defaults.
    """

    hook: str
    record: type
    title: str
    core: tuple[str, ...] | None = None


KINDS: Mapping[str, Kind] = {
    "task": Kind("jointtask_tasks", Component, "task network", ("name", "weight", "optimizer")),
    "bridge": Kind("jointtask_bridges", Component, "bridge", ("name",)),
    "sampler": Kind("jointtask_samplers", SamplerComponent, "sampler", ("name", "estimate")),
    "proposal": Kind("jointtask_proposal_terms", Component, "proposal term", ("name",)),
    "dataset": Kind("jointtask_datasets", Component, "data set", ("name",)),
    "metric": Kind("jointtask_metrics", Component, "metric"),
    "panel": Kind("jointtask_panels", PanelComponent, "panel"),
    "predictor": Kind("jointtask_predictors", Component, "predictor"),
    "reporter": Kind("jointtask_reporters", Component, "reporter"),
}
"""Every kind of component, by the name that `Registry.find` and ``jointtask components`` take."""

TRIAL = "jointtask.testing.trial"
"""The module with the small pair of tasks, whose components are called trial-..."""


@frozen
class Entry:
    """A component or a command, with its source."""

    item: Any
    source: Source


@frozen
class PluginRow:
    """One row of ``jointtask plugins``.

    Attributes
    ----------
    source : Source
        Where the plugin comes from.
    state : "loaded", "failed" or "disabled"
        A loaded plugin may still have had components refused.
    provides : tuple of str
        "KIND NAME" of what is used of it.
    reasons : tuple of str
        Why it, or what it gave, is not used.
    """

    source: Source
    state: Literal["loaded", "failed", "disabled"]
    provides: tuple[str, ...]
    reasons: tuple[str, ...]


@frozen(eq=False)
class Registry:
    """All components that run files can name, and all commands that plugins add.

    Attributes
    ----------
    plugins : Plugins
        What they come from.
    entries : mapping of kind to mapping of str to Entry
        Components by kind and name; the kind "command" holds the commands.
    claims : mapping of (kind, name) to sources
        Names claimed more than once: none of the claims is used.
    failures : sequence of Failure
        All that was refused, plugins and components.
    """

    plugins: Plugins
    entries: Mapping[str, Mapping[str, Entry]]
    claims: Mapping[tuple[str, str], Sequence[Source]] = field(factory=dict)
    failures: Sequence[Failure] = ()

    def find(self, kind: str, name: str) -> Component:
        """Return the component of a kind and a name.

        Returns
        -------
        Component
            A `SamplerComponent` or `PanelComponent` for these kinds.

        Raises
        ------
        ConfigError
            If there is none: the nearest name, what there is and from where, and which plugins failed.
        """
        component: Component = self._entry(kind, name).item
        return component

    def source(self, kind: str, name: str) -> Source:
        """Return where a component comes from; raises as `find` does."""
        return self._entry(kind, name).source

    def components(self, kind: str) -> list[Component]:
        """Return all components of a kind, by name."""
        return [entry.item for _, entry in sorted(self.entries[kind].items())]

    def available(self, kind: str) -> str:
        """List the names of a kind, with where they come from."""
        names: dict[str, list[str]] = {}
        for name, entry in sorted(self.entries[kind].items()):
            names.setdefault(str(entry.source), []).append(name)
        return "; ".join(f"{', '.join(group)} ({source})" for source, group in names.items()) or "none"

    def versions(self, runfile: RunFile) -> dict[str, str]:
        """Return the version of every distribution that a run takes components from."""
        return {source.distribution: source.version for source in self._sources(runfile)}

    def code(self, runfile: RunFile) -> dict[str, str]:
        """Return a digest of the code of every distribution that a run takes components from.

        A version says as much, but not of one that is installed as its authors edit it.
        """
        modules = dict(self.plugins.manager.list_name_plugin())
        return {source.distribution: code_digest(modules[source.plugin]) for source in self._sources(runfile)}

    def _sources(self, runfile: RunFile) -> list[Source]:
        return sorted({self.source(kind, name) for kind, name in _named(runfile)}, key=str)

    def rows(self) -> list[PluginRow]:
        """Return one row for each plugin found, by name."""
        loaded = list(self.plugins.loaded.values())
        disabled = list(self.plugins.disabled)
        failed = [failure.source for failure in self.plugins.failures]
        provides: dict[Source, list[str]] = {}
        for kind, entries in self.entries.items():
            for name, entry in entries.items():
                provides.setdefault(entry.source, []).append(f"{kind} {name}")
        states: list[tuple[Literal["loaded", "failed", "disabled"], list[Source]]] = [
            ("loaded", loaded),
            ("failed", failed),
            ("disabled", disabled),
        ]
        return sorted(
            (
                PluginRow(
                    source=source,
                    state=state,
                    provides=tuple(provides.get(source, ())) if state == "loaded" else (),
                    reasons=tuple(failure.reason for failure in self.failures if failure.source == source),
                )
                for state, sources in states
                for source in sources
            ),
            key=lambda row: row.source.plugin,
        )

    def notify(self, hook: str, /, **arguments: object) -> tuple[str, ...]:
        """Call every observer of a hook; return one warning line for each that raised."""
        return notify(self.plugins, hook, **arguments)

    def _entry(self, kind: str, name: str) -> Entry:
        entries = self.entries[kind]
        if name in entries:
            return entries[name]
        title = KINDS[kind].title
        if sources := self.claims.get((kind, name)):
            raise ConfigError(
                f"the {title} '{name}' is claimed by {' and '.join(map(str, sources))}, so neither is used",
                remedy=f"disable one: JOINTTASK_DISABLE_PLUGINS={sources[0].plugin}",
            )
        trial = name.startswith("trial-") and TRIAL not in self.plugins.loaded
        near = [] if trial else get_close_matches(name, entries, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ConfigError(
            f"no {title} is called '{name}'{hint}",
            cause="; ".join(f"not used: {failure.source}: {failure.reason}" for failure in self.failures),
            remedy=f"add --plugin {TRIAL}" if trial else f"available: {self.available(kind)}",
        )


def load_registry(files: Sequence[str] = ()) -> Registry:
    """Load the plugins, single files among them, and register what they give."""
    return build_registry(load_plugins(files))


def build_registry(plugins: Plugins) -> Registry:
    """Register everything that the plugins give; what breaks the contract is refused, the rest is used."""
    failures = list(plugins.failures)
    entries: dict[str, dict[str, Entry]] = {}
    claims: dict[tuple[str, str], Sequence[Source]] = {}
    command = Kind("jointtask_commands", Command, "command")
    for name, kind in {**KINDS, "command": command}.items():
        given: dict[str, list[Entry]] = {}
        for source, call in implementations(plugins, kind.hook):
            for item in _collect(kind, source, call, failures):
                try:
                    _verify(kind, item)
                except PluginError as error:
                    failures.append(Failure(source, error.message))
                else:
                    item = item if isinstance(item, Command) else guarded(name, kind.title, item, source)
                    given.setdefault(item.name, []).append(Entry(item, source))
        entries[name] = {key: claimed[0] for key, claimed in given.items() if len(claimed) == 1}
        for key, claimed in given.items():
            if len(claimed) > 1:
                sources = claims[name, key] = tuple(entry.source for entry in claimed)
                text = f"the {kind.title} '{key}' is claimed by {' and '.join(map(str, sources))}; neither is used"
                failures.extend(Failure(source, text) for source in dict.fromkeys(sources))
    failures += _missing_terms(entries, claims)
    return Registry(plugins=plugins, entries=entries, claims=claims, failures=tuple(failures))


def _collect(kind: Kind, source: Source, call: Callable[[], Any], failures: list[Failure]) -> Sequence[Any]:
    try:
        return list(call())
    except (Exception, SystemExit) as error:
        failures.append(Failure(source, f"{kind.hook} raised {reason(error)}"))
        return ()


def _missing_terms(entries: Mapping[str, Mapping[str, Entry]], claims: Iterable[tuple[str, str]]) -> Iterator[Failure]:
    """Yield a failure for each proposal term that a sampler names and no plugin gives; the sampler itself is used."""
    known = {*entries["proposal"], *(name for kind, name in claims if kind == "proposal")}
    for entry in entries["sampler"].values():
        for term in () if isinstance(entry.item.proposal, str) else entry.item.proposal:
            if term not in known:
                text = f"the proposal term '{term}' of the sampler '{entry.item.name}': no plugin gives it"
                yield Failure(entry.source, f"{text}; given: {', '.join(sorted(known))}")


def _verify(kind: Kind, item: Any) -> None:
    record: Any = kind.record
    if not isinstance(item, record):
        raise PluginError(f"{kind.hook} gave {item!r}; expected a {kind.record.__name__}")
    what = f"the {kind.title} {item.name!r}"
    if not isinstance(item.name, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", item.name):
        raise PluginError(f"{what}: a name is lower-case letters and digits, in words joined by hyphens")
    if isinstance(item, Command):
        if not re.fullmatch(r"[\w.]+:\w+", item.target):
            raise PluginError(f"{what}: its target must be 'module:function', got {item.target!r}")
        return
    if not callable(item.build):
        raise PluginError(f"{what}: its build cannot be called")
    if problem := _build_problem(item.build):
        raise PluginError(f"{what}: {problem}")
    if isinstance(item, SamplerComponent) and not _is_proposal(item.proposal):
        raise PluginError(f"{what}: proposal must be 'all', 'none' or a tuple of names of terms, got {item.proposal!r}")
    if problem := _settings_problem(kind, item.settings):
        raise PluginError(f"{what}: {problem}")


def _build_problem(build: Callable[..., Any]) -> str:
    """Say why a function cannot be called as ``build(settings, context)``; "" if it can, or nothing is known."""
    try:
        signature = inspect.signature(build)
    except ValueError:  # a function written in C may have none
        return ""
    try:
        signature.bind(None, None)
    except TypeError:
        return f"its build takes ({', '.join(signature.parameters)}); expected build(settings, context)"
    return ""


def _is_proposal(value: object) -> bool:
    return value in ("all", "none") or (isinstance(value, tuple) and all(isinstance(name, str) for name in value))


def _settings_problem(kind: Kind, settings: Any) -> str:
    """Say what keeps a class from being the settings of a component; "" if nothing does."""
    if not isinstance(settings, type) or not attrs.has(settings):
        return f"its settings {getattr(settings, '__name__', settings)!r} are no attrs class; use @attrs.frozen"
    try:
        settings.__new__(settings).probe = None  # type: ignore[attr-defined]  # frozen classes refuse any name
    except attrs.exceptions.FrozenInstanceError:
        pass
    except AttributeError:
        return f"its settings {settings.__name__!r} are not frozen; use @attrs.frozen"
    else:
        return f"its settings {settings.__name__!r} are not frozen; use @attrs.frozen"
    try:
        hints = get_type_hints(settings)
    except NameError as error:
        return f"a type of its settings cannot be resolved: {error}; import it outside `if TYPE_CHECKING`"
    for key in attrs.fields(settings):
        if key.alias in (kind.core or ()):
            return f"its setting '{key.alias}' is a core key of the table"
        if kind.core is None and key.init and key.default is attrs.NOTHING:
            return f"its setting '{key.alias}' needs a default, as no table can set it"
        if key.name not in hints:
            return f"its setting '{key.alias}' has no type annotation"
        try:
            type_name(hints[key.name])
        except TypeError as error:
            return f"its setting '{key.alias}': {error}"
    return ""


def _named(runfile: RunFile) -> Iterator[tuple[str, str]]:
    """Yield (kind, name) of every component that a run file names."""
    tables: Iterable[tuple[str, Table | None]] = [
        ("dataset", runfile.data.train),
        ("dataset", runfile.data.validation),
        ("dataset", runfile.data.test),
        ("task", runfile.upstream),
        ("task", runfile.downstream),
        ("bridge", runfile.bridge),
        ("sampler", runfile.sampler),
        *(("proposal", term) for term in runfile.proposal),
    ]
    yield from ((kind, table.name) for kind, table in tables if table is not None)
    yield from (("metric", name) for name in runfile.evaluate.metrics)
    yield from (("predictor", name) for name in runfile.evaluate.predictors)
