"""The mark of a finished run, `finished.json`: written last, with a digest of every file that the run leaves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import cattrs

from jointtask.api.record import RunRecord
from jointtask.em.assembly import Assembly
from jointtask.report import read_report
from jointtask.runfile.load import resolved
from jointtask.running.directory import RunDirectory
from jointtask.tools.files import write_atomic

__all__ = ["mark_finished", "scoring", "stored_record", "to_make_again"]


def scoring(assembly: Assembly, versions: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the final scores depend on beside the run itself: finished scores are made again when it changes."""
    return {"evaluate": resolved(assembly.runfile)["evaluate"], "versions": dict(versions["scores"])}


def mark_finished(directory: RunDirectory, rounds: int, scoring: Mapping[str, Any]) -> None:
    """Write the mark; everything else is written by now.

    Parameters
    ----------
    directory : RunDirectory
        The run directory.
    rounds : int
        Value of `em.rounds`.
    scoring : mapping
        Result of `scoring` for the run.
    """
    files = {path.name: _digest(path) for path in _files(directory)}
    write_atomic(directory.mark, json.dumps({"rounds": rounds, "scoring": scoring, "files": files}, indent=1) + "\n")


def to_make_again(directory: RunDirectory, rounds: int, scoring: Mapping[str, Any]) -> list[str] | None:
    """Return what a finished run lacks: files that are missing or damaged, and "scores" that are out of date.

    Parameters
    ----------
    directory : RunDirectory
        The run directory.
    rounds : int
        Value of `em.rounds` that is asked for.
    scoring : mapping
        Result of `scoring` for what is asked for.

    Returns
    -------
    list of str or None
        None if the run is not finished.
    """
    try:
        stored = json.loads(directory.mark.read_text(encoding="utf-8"))
        if stored["rounds"] != rounds:
            return None
        lacking = [path.name for path in _files(directory) if stored["files"].get(path.name) != _digest(path)]
        outdated = stored["scoring"] != scoring
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return [*lacking, *(["scores"] if outdated else [])]


def stored_record(directory: RunDirectory) -> RunRecord | None:
    """Return the record of a finished run, None if it cannot be read."""
    try:
        record = read_report(directory.path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, cattrs.BaseValidationError):
        return None
    # The directory may have been moved or copied since.
    return attrs.evolve(record, directory=str(directory.path))


def _files(directory: RunDirectory) -> list[Path]:
    return [
        directory.history,
        directory.timing,
        directory.latents,
        directory.model,
        directory.report,
        directory.page,
    ]


def _digest(path: Path) -> str:
    """Return the sha256 of a file, "" if there is none."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
