"""Fixtures for plugin authors, found by pytest wherever jointtask is installed; torch is imported when one is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jointtask.api.component import Context
    from jointtask.api.record import RunRecord

__all__ = ["jointtask_context", "jointtask_run"]


@pytest.fixture
def jointtask_context(tmp_path: Path) -> Context:
    """Give what `build` gets first: the CPU, one worker, a cache of its own, silent progress; the rest is None.

    ``attrs.evolve(jointtask_context, bridge=..., grid=...)`` adds what is built before the component.
    """
    import torch

    from jointtask.api.component import Context
    from jointtask.tools.progress import SilentProgress

    return Context(device=torch.device("cpu"), workers=1, cache=tmp_path / "cache", progress=SilentProgress())


@pytest.fixture
def jointtask_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunRecord]:
    """Run a run file as ``jointtask run`` does, in a folder of its own.

    It is called ``jointtask_run(file, *overrides, plugins=())``: `overrides` are what ``--set`` takes, `plugins` what
    ``--plugin`` takes. It returns the `jointtask.api.record.RunRecord`.
    """

    def run(file: str | Path, *overrides: str, plugins: tuple[str, ...] = ()) -> RunRecord:
        from jointtask.registry.registry import load_registry
        from jointtask.runfile.load import load
        from jointtask.running.run import run as run_file
        from jointtask.tools.progress import SilentProgress

        monkeypatch.setenv("JOINTTASK_CACHE", str(tmp_path / "cache"))
        registry = load_registry(plugins)
        here = [f"run.output={tmp_path / 'runs'}", "run.device=cpu", "run.threads=1"]
        return run_file(load(file, [*here, *overrides], registry), registry, fresh=True, progress=SilentProgress())

    return run
