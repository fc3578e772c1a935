"""Decides whether a run directory holds the run that is asked for."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import torch

from jointtask.api.errors import ConfigError
from jointtask.em.assembly import Assembly
from jointtask.registry.registry import Registry
from jointtask.runfile.load import load, resolved
from jointtask.runfile.parse import parse
from jointtask.runfile.schema import RunFile
from jointtask.running.device import device_name
from jointtask.running.directory import RunDirectory
from jointtask.running.weights import digest_start

__all__ = ["require_same_run", "versions_of"]

_ASIDE = frozenset(
    {
        "run.name",
        "run.output",
        "run.device",
        "run.threads",
        "run.workers",
        "run.checkpoint_seconds",
        "run.panels_each_round",
        "em.rounds",
    }
)


def _deciding_nothing(runfile: RunFile) -> tuple[str, ...]:
    """Return the kinds of components that have no part in what is learnt.

    Metrics have one where the best round is kept, or training stops when a score no longer improves.
    """
    follows = runfile.em.keep == "best" or runfile.em.patience > 0
    return ("observer", "predictor") if follows else ("observer", "predictor", "metric")


def versions_of(assembly: Assembly) -> dict[str, Any]:
    """Return what a run's outcome depends on beside its run file: versions, device, threads, data."""
    aside = _deciding_nothing(assembly.runfile)
    parts = [*assembly.runfile.components(), *(("predictor", name) for name in assembly.predictors)]
    return {
        "jointtask": version("jointtask"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "plugins": assembly.registry.versions(part for part in parts if part[0] not in aside),
        "scores": assembly.registry.versions(part for part in parts if part[0] in ("metric", "predictor")),
        "code": assembly.registry.code(parts),
        "device": device_name(assembly.context.device),
        "threads": torch.get_num_threads(),
        "start": digest_start(assembly.runfile.run.start, assembly.registry),
        "processes": assembly.world.size,
        "data": {name: data.fingerprint for name, data in assembly.data.items()},
        "examples": {name: len(data) for name, data in assembly.data.items()},
    }


def require_same_run(directory: RunDirectory, assembly: Assembly, versions: Mapping[str, Any]) -> list[str]:
    """Refuse a directory that holds another run.

    Parameters
    ----------
    directory : RunDirectory
        The directory, with a `config.toml`.
    assembly : Assembly
        The run that is asked for.
    versions : mapping
        Result of `versions_of` for the run.

    Returns
    -------
    list of str
        Differences that leave it the same run, but may change its results in the last bits.

    Raises
    ------
    ConfigError
        Listing every difference.
    """
    aside = _deciding_nothing(assembly.runfile)
    old = _flat(_resolved(directory, assembly.registry))
    new = _flat(resolved(assembly.runfile))
    before, now = directory.read_versions(), versions
    lines = _differences(
        {key: value for key, value in old.items() if not _aside(key, aside)},
        {key: value for key, value in new.items() if not _aside(key, aside)},
    )
    deciding = {name: value for name, value in before.get("plugins", {}).items() if name in now["plugins"]}
    lines += _differences(_flat({"plugins": deciding}), _flat({"plugins": now["plugins"]}))
    lines += _differences({"start": before.get("start", "")}, {"start": now["start"]})
    lines += _other_data(before, now)
    if new["em.rounds"] < old["em.rounds"]:
        lines.append(f"em.rounds: was {old['em.rounds']}, is {new['em.rounds']}; rounds can grow, not shrink")
    if lines:
        raise ConfigError(
            "\n    ".join([f"{directory.path} holds another run:", *lines]),
            remedy="give this run another name (--set run.name=...), or start the old one again with --fresh",
        )
    loose = ("device", "threads", "processes", "torch")
    before.setdefault("processes", 1)  # as in every run from before there could be more
    code = before.get("code", {})
    edited = [name for name, digest in now["code"].items() if code.get(name, digest) != digest]
    return [
        f"warning: the code of {name} was edited since this run began; --fresh starts the run again" for name in edited
    ] + [
        f"{name} was {before.get(name)}, is {now[name]}: the run goes on, but not bit for bit as it would have"
        for name in loose
        if before.get(name) != now[name]
    ]


def _resolved(directory: RunDirectory, registry: Registry) -> Mapping[str, Any]:
    """Return the stored run file, with the defaults of settings that are newer than it."""
    try:
        return resolved(load(directory.config, (), registry))
    except ConfigError as error:
        remedy = "put the file back as it was, or run with --fresh to start again"
        try:
            tables = parse(directory.config)
        except ConfigError as unreadable:
            unreadable.remedy = remedy
            raise
        em = tables.get("em")
        if not isinstance(em, Mapping) or not isinstance(em.get("rounds"), int):
            raise ConfigError(
                f"{directory.config} is not what a run writes", cause=error.message, remedy=remedy
            ) from error
        return tables  # a component or a setting that no longer exists: compare the text as it is


def _aside(key: str, kinds: Sequence[str]) -> bool:
    """Say whether a setting may differ between two calls of one run: it decides nothing of what is learnt."""
    tables = {
        "observer": ["observer"],
        "metric": ["evaluate"],
        "predictor": ["evaluate.predictors", "evaluate.trivial"],
    }
    return key in _ASIDE or any(f"{key}.".startswith(f"{table}.") for kind in kinds for table in tables[kind])


def _other_data(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a line for each table whose data set holds other examples than when the run began."""
    lines = []
    for table, fingerprint in now["data"].items():
        if before.get("data", {}).get(table) == fingerprint:
            continue
        then, count = before.get("examples", {}).get(table), now["examples"][table]
        if then is None:
            change = f"{count:,} now"
        elif then == count:
            change = f"{count:,} as before, but with another content or in another order"
        else:
            change = f"{then:,} then, {count:,} now"
        lines.append(f"data.{table}: not the examples that the run began with: {change}")
    return lines


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}: was {old.get(key, 'absent')!r}, is {new.get(key, 'absent')!r}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{path}.")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            flat |= _flat({str(i): item for i, item in enumerate(value)}, f"{path}.")
        else:
            flat[path] = value
    return flat
