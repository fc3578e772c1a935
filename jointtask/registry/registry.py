"""Components by kind and name: who gave them, what was refused, and the nearest name to a misspelt one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from attrs import field, frozen

from jointtask.api.component import Command, Component
from jointtask.api.errors import ConfigError, PluginError, did_you_mean
from jointtask.registry.attribution import BuiltParts, with_contract
from jointtask.registry.discover import code_digest, load_one_more, load_plugins
from jointtask.registry.hooks import implementations, notify
from jointtask.registry.kinds import COMMAND, KINDS, TRIAL, Kind
from jointtask.registry.sources import CORE, Failure, Plugins, Source, reason
from jointtask.registry.verify import verify
from jointtask.tools.text import shortened

__all__ = ["Entry", "PluginRow", "Registry", "build_registry", "load_registry"]


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
        Origin of the plugin.
    state : "loaded", "failed" or "disabled"
        A loaded plugin may still have had components refused.
    provides : tuple of str
        "KIND NAME" of what is used of it.
    reasons : tuple of str
        Reasons why it, or what it gave, is not used.
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
        Plugins that the components come from.
    entries : mapping of kind to dict of str to Entry
        Components by kind and name; the kind "command" holds the commands. Those of the trial pair are added when a
        `trial-` name is first looked up.
    claims : mapping of (kind, name) to sources
        Names claimed more than once: none of the claims is used.
    failures : sequence of Failure
        Plugins and components that were refused.
    parts : BuiltParts
        Objects that have been built from the components.
    """

    plugins: Plugins
    entries: Mapping[str, dict[str, Entry]]
    claims: Mapping[tuple[str, str], Sequence[Source]] = field(factory=dict)
    failures: Sequence[Failure] = ()
    parts: BuiltParts = field(factory=BuiltParts)

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

    def uses(self, kind: str, name: str) -> list[tuple[str, str]]:
        """Return what the plugin of a component offers to do with a trained run: summary and command line of each."""
        source = self.source(kind, name)
        commands = [entry.item for _, entry in sorted(self.entries["command"].items()) if entry.source == source]
        return [(command.summary, command.use) for command in commands if command.use]

    def components(self, kind: str) -> list[Component]:
        """Return all components of a kind, by name."""
        return [entry.item for _, entry in sorted(self.entries[kind].items())]

    def available(self, kind: str) -> str:
        """List the names of a kind, with where they come from."""
        names: dict[str, list[str]] = {}
        for name, entry in sorted(self.entries[kind].items()):
            names.setdefault(str(entry.source), []).append(name)
        return "; ".join(f"{', '.join(group)} ({source})" for source, group in names.items()) or "none"

    def versions(self, components: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return the version of every distribution that components, each a kind and a name, come from."""
        return {source.distribution: source.version for source in self._sources(components)}

    def code(self, components: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return a digest of the code of every distribution that components, each a kind and a name, come from.

        An installed version tells as much, except of a package that is edited in place.
        """
        modules = dict(self.plugins.manager.list_name_plugin())
        return {source.distribution: code_digest(modules[source.plugin]) for source in self._sources(components)}

    def _sources(self, components: Iterable[tuple[str, str]]) -> list[Source]:
        return sorted({self.source(kind, name) for kind, name in components}, key=str)

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
        if name.startswith("trial-") and name not in entries:
            self._add_trial()
        if name in entries:
            return entries[name]
        title = KINDS[kind].title
        if sources := self.claims.get((kind, name)):
            raise ConfigError(
                f"the {title} '{name}' is claimed by {' and '.join(map(str, sources))}, so neither is used",
                remedy=_unclaim(sources),
            )
        raise ConfigError(
            f"no {title} is called '{shortened(name)}'{did_you_mean(name, entries)}",
            cause="; ".join(f"not used: {failure.source}: {failure.reason}" for failure in self.failures),
            remedy=f"available: {self.available(kind)}",
        )

    def _add_trial(self) -> None:
        """Load the trial pair, which imports torch; names that other plugins gave or claimed stay theirs."""
        if not load_one_more(self.plugins, TRIAL):
            return
        for name, kind in KINDS.items():
            for key, given in _given(self.plugins, name, kind, [], self.parts, TRIAL).items():
                if (name, key) not in self.claims:
                    self.entries[name].setdefault(key, given[0])


def load_registry(files: Sequence[str] = ()) -> Registry:
    """Load the plugins, single files among them, and register what they give."""
    return build_registry(load_plugins(files))


def build_registry(plugins: Plugins) -> Registry:
    """Register everything that the plugins give; what breaks the contract is refused, the rest is used."""
    failures, parts = list(plugins.failures), BuiltParts()
    entries: dict[str, dict[str, Entry]] = {}
    claims: dict[tuple[str, str], Sequence[Source]] = {}
    for name, kind in {**KINDS, "command": COMMAND}.items():
        given = _given(plugins, name, kind, failures, parts)
        entries[name] = {key: claimed[0] for key, claimed in given.items() if len(claimed) == 1}
        for key, claimed in given.items():
            if len(claimed) > 1:
                sources = claims[name, key] = tuple(entry.source for entry in claimed)
                text = f"the {kind.title} '{key}' is claimed by {' and '.join(map(str, sources))}; neither is used"
                failures.extend(Failure(source, text) for source in dict.fromkeys(sources))
    failures += _missing_terms(entries, claims)
    return Registry(plugins=plugins, entries=entries, claims=claims, failures=tuple(failures), parts=parts)


def _given(
    plugins: Plugins, name: str, kind: Kind, failures: list[Failure], parts: BuiltParts, plugin: str | None = None
) -> dict[str, list[Entry]]:
    """Return what all plugins, or one of them, give of a kind, by name; what breaks the contract is a failure."""
    given: dict[str, list[Entry]] = {}
    for source, call in implementations(plugins, kind.hook):
        if plugin not in (None, source.plugin):
            continue
        for item in _collect(kind, source, call, failures):
            try:
                verify(kind, item)
            except PluginError as error:
                failures.append(Failure(source, error.message))
            else:
                item = item if isinstance(item, Command) else with_contract(name, kind.title, item, source, parts)
                given.setdefault(item.name, []).append(Entry(item, source))
    return given


def _unclaim(sources: Sequence[Source]) -> str:
    """Say how one of several plugins that claim a name is left to use it; the core's own components stay."""
    others = list(dict.fromkeys(source.plugin for source in sources if source.plugin != CORE))
    rename = "give it another name in the plugin that you write"
    if len(others) < len(sources):
        return f"{rename}, or disable that plugin: JOINTTASK_DISABLE_PLUGINS={','.join(others)}" if others else rename
    return f"{rename}, or disable one: JOINTTASK_DISABLE_PLUGINS={others[0]}"


def _collect(kind: Kind, source: Source, call: Callable[[], Any], failures: list[Failure]) -> Sequence[Any]:
    try:
        return list(call())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        failures.append(Failure(source, f"{kind.hook} raised {reason(error, source)}"))
        return ()


def _missing_terms(entries: Mapping[str, Mapping[str, Entry]], claims: Iterable[tuple[str, str]]) -> Iterator[Failure]:
    """Yield a failure for each proposal term that a sampler names and no plugin gives; the sampler itself is used."""
    terms = {*entries["proposal"], *(name for kind, name in claims if kind == "proposal")}
    for entry in entries["sampler"].values():
        for term in () if isinstance(entry.item.proposal, str) else entry.item.proposal:
            if term not in terms:
                text = f"the proposal term '{term}' of the sampler '{entry.item.name}': no plugin gives it"
                yield Failure(entry.source, f"{text}; given: {', '.join(sorted(terms))}")
