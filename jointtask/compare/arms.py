"""The arms of a comparison, from a run file and ``--vary``: every fault of every arm at once, before anything runs."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from jointtask.api.errors import ConfigError, did_you_mean
from jointtask.registry.settings import show
from jointtask.runfile.faults import Fault, FaultyFileError
from jointtask.runfile.override import Setting, apply, flatten, names_component, override, split
from jointtask.runfile.parse import parse
from jointtask.runfile.partial import CompareFile, CompareTable
from jointtask.runfile.read import absolute, structure
from jointtask.runfile.schema import RunFile

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["Arm", "Plan", "plan"]

LONGEST = 60
"""Length of an arm's name, in bytes: with the seed, it is the name of a folder."""

_OWN = (["run", "name"], ["run", "output"])  # each run of a comparison has a directory of its own


@frozen
class Arm:
    """One arm: its settings by dotted key, and its run file."""

    name: str
    settings: Mapping[str, str]
    runfile: RunFile

    def at(self, folder: Path, seed: int) -> RunFile:
        """Return the run file of its run number `seed`, from 0, inside the folder of the comparison."""
        table = self.runfile.run
        name = f"{self.name}-seed-{table.seed + seed}"
        # Predictors are scored once, for the whole comparison.
        evaluate = evolve(self.runfile.evaluate, predictors=(), trivial=False)
        run = evolve(table, name=name, output=str(folder), seed=table.seed + seed)
        return evolve(self.runfile, run=run, evaluate=evaluate)


@frozen
class Plan:
    """A comparison before it runs: its name, its folder, its arms, the reference among them, runs of each arm."""

    name: str
    folder: Path
    arms: Sequence[Arm]
    reference: str
    seeds: int


def plan(
    path: str | Path,
    registry: Registry,
    *,
    overrides: Sequence[str] = (),
    vary: Sequence[str] = (),
    seeds: int | None = None,
    reference: str | None = None,
    output: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Plan:
    """Read what to compare.

    The arms are those of the file's ``[compare.arms.NAME]`` tables, and the values of ``vary``: each value of a key is
    an arm; several keys, and the named arms beside them, are crossed.

    Parameters
    ----------
    path : path
        The run file.
    registry : Registry
        Registry that components are looked up in.
    overrides : sequence of str
        ``a.b=VALUE``: what all arms share; applied before an arm's own settings.
    vary : sequence of str
        ``a.b=VALUE``: one value of a key that the arms differ in.
    seeds, reference, output : optional
        Instead of `compare.seeds`, `compare.reference` and `run.output`.
    say : callable, optional
        Is told, a line at a time, what the settings dropped.

    Raises
    ------
    ConfigError
        If there is no arm, or the file or an arm has faults: all of them in one message.
    """
    varied = [split(text, "--vary") for text in vary]
    data, dropped = override(parse(path), overrides)
    for line in dropped:
        say(line)
    faults: list[Fault] = []
    table = CompareTable()
    try:
        table = structure(data, registry, str(path), CompareFile).compare
    except FaultyFileError as error:
        faults += error.faults
    choices = _choices(_named(data), varied)
    if not choices and not faults:
        raise ConfigError(
            f"{path}: nothing to compare",
            cause="no --vary is given, and the file has no table [compare.arms.NAME]",
            remedy="write for example --vary sampler.name=none --vary sampler.name=gaussian",
        )
    arms: list[Arm] = []
    arms_of_fault: dict[Fault, list[str]] = {}
    for name, settings in choices:
        try:
            runfile, dropped = _runfile(data, settings, registry)
        except FaultyFileError as error:
            for fault in error.faults:
                arms_of_fault.setdefault(fault, []).append(name)
            continue
        for line in dropped:
            say(f"arm '{name}': {line}")
        arms.append(Arm(name, {".".join(keys): show(value) for keys, value in settings}, runfile))
    for fault, where in arms_of_fault.items():
        # A fault of every arm is reported once, as a fault of the file.
        which = "" if len(where) == len(choices) > 1 else f" (arm {', '.join(map(show, where))})"
        faults.append(Fault(fault.path + which, fault.reason))
    names = [name for name, _ in choices]
    faults += [Fault(f"arm '{name}'", "is there twice") for name in dict.fromkeys(names) if names.count(name) > 1]
    asked = _bounded(reference or table.reference or "")
    if names and asked and asked not in names:
        hint = did_you_mean(asked, names) or f"; arms: {', '.join(names)}"
        faults.append(Fault("--reference" if reference else "compare.reference", f"no arm is called '{asked}'{hint}"))
    if faults:
        raise FaultyFileError(str(path), faults)
    run = arms[0].runfile.run
    folder = Path(absolute(output) if output is not None else run.output) / f"{run.name}-compare"
    return Plan(run.name, folder, arms, asked or names[0], seeds or table.seeds)


def _named(data: Mapping[str, Any]) -> list[tuple[str, list[Setting]]]:
    """Return the arms that the file names, with what they set, even if its table `compare` has faults."""
    table = data.get("compare")
    arms = table.get("arms") if isinstance(table, dict) else None
    known = arms.items() if isinstance(arms, dict) else ()
    return [(name, flatten(arm)) for name, arm in known if isinstance(arm, dict)]


def _choices(named: list[tuple[str, list[Setting]]], varied: Sequence[Setting]) -> list[tuple[str, list[Setting]]]:
    """Return the product of the named arms and of the values of each key: names of arms with their settings."""
    axes = [named] if named else []
    values: dict[tuple[str, ...], list[Any]] = {}
    for keys, value in varied:
        values.setdefault(tuple(keys), []).append(value)
    last = [keys[-1] for keys in values]
    for keys, options in values.items():
        short = keys[-1] if last.count(keys[-1]) == 1 else ".".join(keys)
        label = "" if names_component(keys) and last.count("name") == 1 else f"{short}="
        axes.append([(_plain(f"{label}{_text(value)}"), [(keys, value)]) for value in options])
    if not axes:
        return []
    return [
        (_bounded(",".join(name for name, _ in parts)), [setting for _, settings in parts for setting in settings])
        for parts in itertools.product(*axes)
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else show(value)


def _bounded(name: str) -> str:
    """Return a name that a folder can have: a long one is cut, and ends in a digest of the whole."""
    if len(name.encode(errors="surrogateescape")) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    short = name.encode(errors="surrogateescape")[: LONGEST - 9].decode(errors="ignore")
    return f"{short}-{digest}"


def _plain(name: str) -> str:
    """Make the name of an arm the plain name of a folder."""
    return re.sub(r"[^\w.=+@-]+", "-", name).strip("-")


def _runfile(data: Mapping[str, Any], settings: Sequence[Setting], registry: Registry) -> tuple[RunFile, list[str]]:
    """Return an arm's run file, and what its settings dropped."""
    allowed = [setting for setting in settings if list(setting[0]) not in _OWN and setting[0][0] != "compare"]
    faults = [
        Fault(".".join(setting[0]), "is the same for all arms: set it with --set")
        for setting in settings
        if setting not in allowed
    ]
    try:
        tables, dropped = apply(data, allowed)
        runfile = structure(tables, registry, "", RunFile)
    except FaultyFileError as error:
        raise FaultyFileError("", [*faults, *error.faults]) from error
    except ConfigError as error:
        key, _, reason = error.message.partition(": ")
        raise FaultyFileError("", [*faults, Fault(key, reason)]) from error
    if faults:
        raise FaultyFileError("", faults)
    return runfile, dropped
