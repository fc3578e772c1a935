"""A comparison from Python: what ``jointtask compare`` does, as one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jointtask.api.progress import Progress
from jointtask.compare.arms import plan
from jointtask.compare.compare import compare
from jointtask.compare.record import Comparison
from jointtask.registry.registry import load_registry
from jointtask.runfile.override import setting_texts
from jointtask.tools.progress import SilentProgress

__all__ = ["compare_arms"]


def compare_arms(
    path: str | Path,
    *,
    vary: Mapping[str, Sequence[Any]] | Sequence[str] = (),
    overrides: Mapping[str, Any] | Sequence[str] = (),
    seeds: int | None = None,
    reference: str | None = None,
    output: str | Path | None = None,
    plugins: Sequence[str] = (),
    fresh: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Run arms of a run file side by side; the same call again continues a comparison that was interrupted.

    Parameters
    ----------
    path : path
        The run file. Its ``[compare.arms.NAME]`` tables are arms, too.
    vary : mapping of str to sequence, or sequence of str
        Values of the keys that the arms differ in: ``{"sampler.name": ["gibbs", "none"]}``, or texts as ``--vary``
        takes them. Several keys are crossed.
    overrides : mapping of str to object, or sequence of str
        Settings of all arms, as `run_file` takes them.
    seeds : int, optional
        Runs of each arm; by default `compare.seeds`.
    reference : str, optional
        Name of the arm that the others are compared with; by default the first.
    output : path, optional
        Folder that the folder of the comparison is made in; by default `run.output`.
    plugins : sequence of str
        Plugins beside the installed ones, as ``--plugin`` takes them.
    fresh : bool
        Whether all runs are started again, even finished ones.
    progress : Progress, optional
        Receiver of phases and messages; silent by default.

    Returns
    -------
    Comparison
        Tables of scores, with intervals and paired differences; also written to the folder of the comparison.

    Raises
    ------
    UserError
        If the run file or an arm cannot be used, or a directory holds another run. A run that fails is a failure of its
        arm in the result.
    """
    registry, progress = load_registry(plugins), progress or SilentProgress()
    values = (
        [text for key, options in vary.items() for value in options for text in setting_texts({key: value})]
        if isinstance(vary, Mapping)
        else vary
    )
    todo = plan(
        path,
        registry,
        overrides=setting_texts(overrides),
        vary=values,
        seeds=seeds,
        reference=reference,
        output=None if output is None else str(output),
        say=progress.say,
    )
    return compare(todo, registry, fresh=fresh, progress=progress)
