"""Run files from and to text: the user's TOML and the resolved file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from jointtask.api.errors import ConfigError
from jointtask.registry.registry import Registry
from jointtask.runfile.override import override
from jointtask.runfile.read import structure
from jointtask.runfile.schema import DataFile, DataTables, EvaluationFile, RunFile
from jointtask.tools.plain import to_plain

__all__ = ["dump", "load", "load_data", "load_evaluation", "load_trained", "parse", "resolved"]


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
        Where components are looked up.
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
    return structure(data, registry, source, RunFile)


def load_data(
    path: str | Path, overrides: Sequence[str], registry: Registry, say: Callable[[str], None] = lambda line: None
) -> DataTables:
    """Read the data tables of a run file, whatever the others are; all else as `load`."""
    data, source = _overridden(path, overrides, say)
    return structure({key: data[key] for key in ("data",) if key in data}, registry, source, DataFile).data


def load_trained(path: str | Path, registry: Registry, overrides: Sequence[str] = ()) -> RunFile:
    """Read the resolved run file of a run directory for use: what only training needs is left out.

    A run whose sampler, proposal terms, optimizers or observers came with ``--plugin`` predicts without it.
    """
    data, _ = override(parse(path), overrides)
    em = {key: value for key, value in data.get("em", {}).items() if key != "draws"}
    for role in ("upstream", "downstream"):
        data[role] = {**data.get(role, {}), "optimizer": {}}
    data |= {"sampler": {"name": "none"}, "proposal": [], "observer": [], "em": em}
    return structure(data, registry, str(path), RunFile)


def load_evaluation(overrides: Sequence[str], registry: Registry) -> EvaluationFile:
    """Make from overrides alone what it takes to score a predictor: `data.test`, `evaluate`, perhaps `run`.

    Raises
    ------
    ConfigError
        As `load` does.
    """
    data, _ = override({"run": {"name": "evaluation"}, "data": {}}, overrides)
    source = " ".join(f"--set {text}" for text in overrides) or "no --set"
    return structure(data, registry, source, EvaluationFile)


def dump(runfile: RunFile) -> str:
    """Return the run file as TOML, defaults filled; loading it gives an equal `RunFile`."""
    return tomli_w.dumps(resolved(runfile))


def resolved(runfile: RunFile) -> dict[str, Any]:
    """Return the tables of the run file as plain values, defaults filled: what `dump` writes."""
    tables: dict[str, Any] = to_plain(runfile, nulls=False)
    return tables


def parse(path: str | Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        If there is no such file, or it is no TOML, with line and column.
    """
    try:
        # Editors on Windows like to put a byte-order mark first, which TOML does not allow.
        return tomllib.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
        text, line, column = found.groups() if found else (str(error), None, None)
        where = f"line {line}, column {column}" if line else "end of the file"
        raise ConfigError(f"{path}: not valid TOML at {where}: {text[:1].lower()}{text[1:]}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not a text file", cause=f"byte {error.start} is not UTF-8", remedy="save it as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", remedy="name an existing run file (TOML)") from error


def _overridden(path: str | Path, overrides: Sequence[str], say: Callable[[str], None]) -> tuple[dict[str, Any], str]:
    """Return the tables of a file with the overrides applied, and what to call them."""
    data, notes = override(parse(path), overrides)
    for note in notes:
        say(note)
    return data, " ".join([str(path), *(f"--set {text}" for text in overrides)])
