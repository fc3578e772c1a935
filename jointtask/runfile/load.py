"""Run files from and to text: the user's TOML and the resolved file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from jointtask.registry.registry import Registry
from jointtask.runfile.override import override, typed_values
from jointtask.runfile.parse import parse
from jointtask.runfile.partial import DataFile, EvaluationFile
from jointtask.runfile.read import structure
from jointtask.runfile.schema import DataTables, RunFile
from jointtask.tools.plain import to_plain
from jointtask.tools.text import shortened

__all__ = ["dump", "load", "load_data", "load_evaluation", "load_trained", "resolved"]


def load(
    path: str | Path, overrides: Sequence[str], registry: Registry, say: Callable[[str], None] = lambda line: None
) -> RunFile:
    """Read a run file.

    Parameters
    ----------
    path : path
        The TOML file.
    overrides : sequence of str
        ``a.b=VALUE``, as ``--set`` takes them; see `override`.
    registry : Registry
        Registry that components are looked up in.
    say : callable, optional
        Is told, a line at a time, what the overrides dropped.

    Returns
    -------
    RunFile
        Defaults filled, paths absolute.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no TOML, or has faults: all of them in one message.
    """
    data, source = _overridden(path, overrides, say)
    return structure(data, registry, source, RunFile, typed_values(overrides))


def load_data(
    path: str | Path, overrides: Sequence[str], registry: Registry, say: Callable[[str], None] = lambda line: None
) -> DataTables:
    """Read the data tables of a run file, whatever the others are; all else as `load`."""
    data, source = _overridden(path, overrides, say)
    tables = {key: data[key] for key in ("data",) if key in data}
    return structure(tables, registry, source, DataFile, typed_values(overrides)).data


def load_trained(path: str | Path, registry: Registry, overrides: Sequence[str] = ()) -> RunFile:
    """Read the resolved run file of a run directory for use: what only training needs is left out.

    A run whose sampler, proposal terms, optimizers or observers came with ``--plugin`` predicts without it.
    """
    data, _ = override(parse(path), overrides)
    em = data.get("em", {})
    if isinstance(em, dict):
        em = {key: value for key, value in em.items() if key != "draws"}
    for role in ("upstream", "downstream"):
        task = data.get(role, {})
        data[role] = {**task, "optimizer": {}} if isinstance(task, dict) else task
    data |= {"sampler": {"name": "none"}, "proposal": [], "observer": [], "em": em}
    return structure(data, registry, str(path), RunFile, typed_values(overrides))


def load_evaluation(overrides: Sequence[str], registry: Registry) -> EvaluationFile:
    """Make from overrides alone what it takes to score a predictor: `data.test`, `evaluate`, perhaps `run`.

    Raises
    ------
    ConfigError
        As `load` does.
    """
    data, _ = override({"run": {"name": "evaluation"}, "data": {}}, overrides)
    source = " ".join(f"--set {shortened(text)}" for text in overrides) or "no --set"
    return structure(data, registry, source, EvaluationFile, typed_values(overrides))


def dump(runfile: RunFile) -> str:
    """Return the run file as TOML, defaults filled; loading it gives an equal `RunFile`."""
    return tomli_w.dumps(resolved(runfile))


def resolved(runfile: RunFile) -> dict[str, Any]:
    """Return the tables of the run file as plain values, defaults filled: what `dump` writes."""
    tables: dict[str, Any] = to_plain(runfile, nulls=False)
    return tables


def _overridden(path: str | Path, overrides: Sequence[str], say: Callable[[str], None]) -> tuple[dict[str, Any], str]:
    """Return the tables of a file with the overrides applied, and what to call them."""
    data, notes = override(parse(path), overrides)
    for note in notes:
        say(note)
    return data, " ".join([str(path), *(f"--set {shortened(text)}" for text in overrides)])
