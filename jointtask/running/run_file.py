"""A run from Python: the file that ``jointtask run`` takes, as one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jointtask.api.progress import Progress
from jointtask.api.record import RunRecord
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.runfile.override import setting_texts
from jointtask.running.run import run
from jointtask.tools.progress import SilentProgress

__all__ = ["run_file"]


def run_file(
    path: str | Path,
    *,
    overrides: Mapping[str, Any] | Sequence[str] = (),
    plugins: Sequence[str] = (),
    fresh: bool = False,
    progress: Progress | None = None,
) -> RunRecord:
    """Train, score and report a run file; the same call again continues a run that was interrupted.

    Parameters
    ----------
    path : path
        The run file.
    overrides : mapping of str to object, or sequence of str
        Settings that replace those of the file: ``{"em.rounds": 3}``, or ``["em.rounds=3"]`` as ``--set`` takes them.
    plugins : sequence of str
        Plugins beside the installed ones, as ``--plugin`` takes them.
    fresh : bool
        Whether an earlier run of this name is replaced instead of continued.
    progress : Progress, optional
        Receiver of phases and messages; silent by default.

    Returns
    -------
    RunRecord
        The record of the finished run.

    Raises
    ------
    UserError
        If the run file, the data, the run directory or the training does not allow it.
    """
    registry, progress = load_registry(plugins), progress or SilentProgress()
    return run(load(path, setting_texts(overrides), registry, progress.say), registry, fresh=fresh, progress=progress)
