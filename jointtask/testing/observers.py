"""What every observer must hold, tried on short runs of the trial pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jointtask.api.errors import RunError
from jointtask.api.record import RunRecord
from jointtask.running.run_file import run_file
from jointtask.testing.trial import RUN_FILE
from jointtask.tools.progress import SilentProgress

__all__ = ["check_observer"]


class _Messages(SilentProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def check_observer(
    name: str, folder: Path, *, plugins: Sequence[str] = (), settings: Mapping[str, Any] | None = None
) -> RunRecord:
    """Let an observer watch a run that is continued and one that fails, and require that it raises and changes nothing.

    The runs are of the trial pair (`jointtask.testing.trial`), with validation, an enumerated example, a panel and two
    steps an epoch: 6 steps, then 8 in all. What the observer has written can be looked at afterwards.

    Parameters
    ----------
    name : str
        The observer's name in ``[[observer]]``.
    folder : pathlib.Path
        An empty folder for the run directories.
    plugins : sequence of str
        Plugins beside the installed ones, as ``--plugin`` takes them.
    settings : mapping of str to object, optional
        The observer's settings.

    Returns
    -------
    RunRecord
        The record of the run ``trial`` after its continuation; the run that fails is called ``failing``.

    Raises
    ------
    AssertionError
        If the observer raises an error, or the history of the run is another than without it.
    """
    here = {"run.output": str(folder), "em.batch_size": 4, "em.oracle_examples": 2}
    here |= {"data.validation.name": "trial-sequences", "data.validation.examples": 4}
    own = {"observer.0.name": name, **{f"observer.0.{key}": value for key, value in (settings or {}).items()}}
    messages = _Messages()
    modules = [*plugins, "jointtask.testing.trial", "jointtask.testing.trial_panel"]

    def run(**overrides: Any) -> RunRecord:
        keys = {key.replace("__", "."): value for key, value in overrides.items()}
        return run_file(RUN_FILE, overrides={**here, **keys}, plugins=modules, progress=messages)

    run(**own)
    record = run(**own, em__rounds=3)
    with suppress(RunError):  # the losses are not finite
        run(**own, run__name="failing", upstream__optimizer={"name": "sgd", "rate": 1e30})
    failed = [line for line in messages.lines if "the observer '" in line]
    assert not failed, f"expected an observer that raises no error: {'; '.join(failed)}"
    alone = run(run__name="alone", em__rounds=3)
    watched, expected = (Path(each.directory, "history.jsonl").read_text() for each in (record, alone))
    assert watched == expected, "the history of the run is another than without the observer; expected the same"
    return record
