"""A comparison, from its plan to its tables and its page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import torch

from jointtask.api.errors import ConfigError, UserError
from jointtask.api.progress import Progress
from jointtask.compare.arms import Plan
from jointtask.compare.outcome import Outcome, summarise
from jointtask.compare.page import render
from jointtask.compare.predictors import Scored, score_predictors
from jointtask.compare.record import Comparison
from jointtask.compare.tables import latex, markdown
from jointtask.running.assemble import assemble
from jointtask.running.autosave import StoppedError
from jointtask.running.check import unread_settings
from jointtask.running.directory import RunDirectory
from jointtask.running.lock import locked
from jointtask.running.run import run
from jointtask.running.same_run import require_same_run, versions_of
from jointtask.running.signals import Signals
from jointtask.tools.files import remove_leftovers, write_atomic
from jointtask.tools.plain import to_plain

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["compare"]


def compare(plan: Plan, registry: Registry, *, fresh: bool, progress: Progress) -> Comparison:
    """Run every arm with every seed, continuing what an earlier call began, and compare them.

    Each is an ordinary run in a directory of its own inside `plan.folder`. One that fails does not stop the others.

    Parameters
    ----------
    plan : Plan
        Plan of the comparison.
    registry : Registry
        Registry that the components of the arms are looked up in.
    fresh : bool
        Start all runs again, even those that are finished.
    progress : Progress
        Receiver of phases and messages.

    Returns
    -------
    Comparison
        Also written to the folder, as JSON, Markdown, LaTeX and a page.

    Raises
    ------
    ConfigError
        Before anything runs, if an arm cannot be built or a directory holds another run.
    StoppedError
        If it was asked to stop; everything is saved.
    """
    outcomes: list[list[Outcome]] = [[] for _ in plan.arms]
    with locked(plan.folder, progress.say), Signals():
        remove_leftovers(plan.folder)  # of a comparison that was killed
        try:
            for line in _same_settings(plan):
                progress.say(line)
            _require_runnable(plan, registry, fresh, progress)
            _run_all(plan, registry, fresh, progress, outcomes)
            unread = [unread_settings(arm.runfile, registry) for arm in plan.arms]
            beside = score_predictors(plan, outcomes, registry, progress)
            comparison = summarise(plan, outcomes, unread, beside.scores)
            _write(comparison, beside, plan.folder)
        except (StoppedError, KeyboardInterrupt) as error:
            done = sum(map(len, outcomes))
            raise StoppedError(
                f"stopped after {done} of {len(plan.arms) * plan.seeds} runs; everything is saved in {plan.folder}",
                remedy="run the same command again (without --fresh) to go on from here",
            ) from error
    return comparison


def _run_all(plan: Plan, registry: Registry, fresh: bool, progress: Progress, outcomes: list[list[Outcome]]) -> None:
    threads = torch.get_num_threads()
    total = len(plan.arms) * plan.seeds
    # Seeds are the outer loop, so that a comparison that is stopped has whole rows.
    for k in range(plan.seeds):
        for position, arm in enumerate(plan.arms):
            runfile = arm.at(plan.folder, k)
            progress.say(f"run {k * len(plan.arms) + position + 1} of {total}: {runfile.run.name}")
            torch.set_num_threads(threads)  # an arm that names none gets what it would get alone
            try:
                outcomes[position].append(run(runfile, registry, fresh=fresh, progress=progress, tried=True))
            except StoppedError:
                raise
            except UserError as error:
                progress.say(f"{runfile.run.name} failed: {error}")
                outcomes[position].append(error)


def _require_runnable(plan: Plan, registry: Registry, fresh: bool, progress: Progress) -> None:
    """Build each arm once, and refuse directories that hold another run."""
    threads = torch.get_num_threads()
    reasons: dict[str, list[str]] = {}
    for arm in plan.arms:
        progress.say(f"checking arm '{arm.name}'")
        try:
            # The reference arm is built with the predictors that stand beside all of them.
            alone = arm.runfile if arm.name == plan.reference else arm.at(plan.folder, 0)
            assembly = assemble(alone, registry, progress)
            versions = versions_of(assembly)
            for k in range(plan.seeds):
                runfile = arm.at(plan.folder, k)
                directory = RunDirectory(plan.folder / runfile.run.name)
                if directory.exists and not fresh:
                    for note in require_same_run(directory, attrs.evolve(assembly, runfile=runfile), versions):
                        progress.say(f"{runfile.run.name}: {note}")
        except UserError as error:
            reasons.setdefault(str(error), []).append(f"arm '{arm.name}'")
        finally:
            torch.set_num_threads(threads)
    if reasons:
        raise ConfigError("\n".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items()))


def _same_settings(plan: Plan) -> Iterator[str]:
    for position, arm in enumerate(plan.arms):
        for other in plan.arms[:position]:
            if arm.runfile == other.runfile:
                yield f"warning: the arms '{other.name}' and '{arm.name}' have the same settings"


def _write(comparison: Comparison, beside: Scored, folder: Path) -> None:
    write_atomic(folder / "comparison.md", markdown(comparison))
    write_atomic(folder / "comparison.tex", latex(comparison))
    write_atomic(folder / "comparison.html", render(comparison))
    plain = {**to_plain(comparison), "beside": to_plain(beside)}
    write_atomic(folder / "comparison.json", json.dumps(plain, indent=1, allow_nan=False) + "\n")
