"""One run, from run file to report."""

from __future__ import annotations

import math
import tomllib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import cattrs

from jointtask.api.errors import ConfigError
from jointtask.api.metric import definitions
from jointtask.api.progress import Progress
from jointtask.api.record import OWN, RoundRecord, RunRecord, ScoreRecord
from jointtask.em.assembly import Assembly
from jointtask.em.batches import Examples
from jointtask.em.latents import Latents
from jointtask.em.predict import Predictor, make_predictor
from jointtask.em.processes import ALONE, World
from jointtask.em.score import Predict, one_by_one, score, through
from jointtask.em.state import State
from jointtask.em.train import train
from jointtask.registry.attribution import blaming, tolerated
from jointtask.report import read_report, write_report
from jointtask.report.panels import draw_panels
from jointtask.runfile.load import dump
from jointtask.runfile.schema import RunFile
from jointtask.running.assemble import assemble, assemble_optimizers
from jointtask.running.autosave import Autosave
from jointtask.running.directory import ReadOnlyRunDirectory, RunDirectory
from jointtask.running.same_run import require_same_run, versions_of
from jointtask.running.weights import pair_tensors, start_from

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["run"]


def run(runfile: RunFile, registry: Registry, *, fresh: bool, progress: Progress, world: World = ALONE) -> RunRecord:
    """Do what a run file says, from wherever an earlier call has left it.

    Parameters
    ----------
    runfile : RunFile
        What to do.
    registry : Registry
        Where its components are found.
    fresh : bool
        Start again, even if there is something to go on from.
    progress : Progress
        Where it reports.
    world : World
        The processes that do it together; the leader alone writes.

    Returns
    -------
    RunRecord
        Of the finished run.

    Raises
    ------
    UserError
        If the run file, the data, the directory or the training does not allow it.
    """
    directory = (RunDirectory if world.leader else ReadOnlyRunDirectory)(Path(runfile.run.output) / runfile.run.name)
    with blaming(registry.plugins), directory.held():
        with world.machine_first("assemble"):
            work = assemble(runfile, registry, progress, world)
        return _run(directory, work, fresh)


def _run(directory: RunDirectory, work: Assembly, fresh: bool) -> RunRecord:
    progress, registry = work.context.progress, work.registry
    state = new_state(work)
    with work.world.leader_first("open"):
        notes = open_directory(directory, work, state, fresh)
    finished = finished_record(directory, work, state)
    work.world.require_same(lambda: {**state.standing(), "finished": finished is not None})
    if finished:
        progress.say(f"{directory.path}: this run is finished; --fresh starts it again, a larger em.rounds extends it")
        return finished
    processes = f", {work.world.size} processes" if work.world.size > 1 else ""
    for line in [f"device: {versions_of(work)['device']}{processes}", *notes]:
        progress.say(line)
    directory.write_identity(dump(work.runfile), versions_of(work))
    record = describe(directory, work, state)

    def observe(hook: str, **arguments: Any) -> None:
        for line in registry.notify(hook, **arguments) if work.world.leader else ():
            progress.say(line)

    def round_finished(done: RoundRecord) -> None:
        directory.write_lines("history.jsonl", state.history)
        directory.write_lines("timing.jsonl", state.timing)
        observe("jointtask_round_finished", record=done)

    observe("jointtask_run_started", record=record)
    try:
        with work.world.machine_first("prepare"):
            examples = Examples(work.train, work.how.terms, work.runfile, work.context)
        with Autosave(directory, state, work.runfile.run.checkpoint_seconds, work.world) as autosave:
            train(work, examples, state, autosave, round_finished)
        record = finish(directory, work, state, examples)
    except BaseException as error:
        observe("jointtask_run_failed", record=describe(directory, work, state), error=error)
        raise
    observe("jointtask_run_finished", record=record)
    return record


def new_state(work: Assembly) -> State:
    """Return the state of a run that has done nothing yet."""
    em, pair = work.runfile.em, work.pair
    start_from(pair, work.runfile.run.start, work.registry)
    epochs = em.warmup_epochs + em.rounds * em.epochs_per_round
    steps = -(-len(work.train) // em.batch_size)
    return State(
        pair=pair,
        optimizers=assemble_optimizers(pair, work.runfile, epochs, steps),
        latents=Latents.empty(len(work.train), work.how.draws, pair.bridge.grid.dimensions),
    )


def open_directory(directory: RunDirectory, work: Assembly, state: State, fresh: bool) -> list[str]:
    """Take up what is in the run directory; return what the user should know."""
    notes: list[str] = []
    if fresh:
        directory.clear()
    elif directory.exists:
        notes += require_same_run(directory, work)
        checkpoint, damaged = directory.latest_checkpoint()
        notes += damaged
        if checkpoint is not None:
            state.restore(checkpoint)
            notes.append(f"{directory.path}: going on in round {state.round}, after {state.epoch} epochs")
    elif directory.path.is_dir() and directory.taken:
        raise ConfigError(
            f"{directory.path} is not empty and holds no run",
            cause="it has checkpoints, but no config.toml" if (directory.path / "checkpoints").exists() else "",
            remedy="give this run another name (--set run.name=...) or another folder (--output);"
            " --fresh starts it there, beside what is no run's",
        )
    return notes


def finish(directory: RunDirectory, work: Assembly, state: State, examples: Examples) -> RunRecord:
    """Score the trained pair and the predictors beside it, and write everything that a run leaves."""
    directory.write_results(pair_tensors(work.pair), state.latents.tensors())
    directory.write_lines("history.jsonl", state.history)
    directory.write_lines("timing.jsonl", state.timing)
    predictor = make_predictor(work.pair, work.runfile)
    record = attrs.evolve(describe(directory, work, state), scores=final_scores(work, predictor), finished=True)
    if not work.world.leader:
        return record
    panels = draw_panels(work, predictor, examples, state.latents, record)
    bridge = work.pair.bridge
    write_report(record, panels, directory.path, coordinates=bridge.coordinates, units=bridge.units)
    for component in work.registry.components("reporter"):
        with tolerated(work.context.progress.say, f"the reporter '{component.name}'"):
            component.build(component.settings(), work.context)(record, directory.path)
    return record


def final_scores(work: Assembly, predictor: Predictor) -> list[ScoreRecord]:
    """Score on the test data, or on the validation data if there is no test data."""
    name, data = ("test", work.test) if work.test is not None else ("validation", work.validation)
    if data is None or not work.metrics:
        return []
    contestants: dict[str, AbstractContextManager[Predict]] = {OWN: nullcontext(through(predictor))}
    contestants |= {key: one_by_one(function, work.context.workers) for key, function in work.predictors.items()}
    records = []
    for key, contestant in contestants.items():
        with contestant as predict:
            records.append(
                score(
                    predict,
                    data,
                    work.metrics,
                    predictor=key,
                    data=name,
                    batch_size=work.runfile.predict.batch_size,
                    progress=work.context.progress,
                    world=work.world,
                )
            )
    return records


def describe(directory: RunDirectory, work: Assembly, state: State) -> RunRecord:
    """Return the record of the run as far as it has come."""
    versions = versions_of(work)
    return RunRecord(
        name=work.runfile.run.name,
        directory=str(directory.path),
        config=tomllib.loads(dump(work.runfile)),
        versions={
            **{name: str(value) for name, value in versions.items() if name not in ("plugins", "code", "data")},
            **versions["plugins"],
        },
        data={
            name: {"examples": len(data), "fingerprint": data.fingerprint, "notes": list(data.notes)}
            for name, data in work.data.items()
        },
        parameters={
            role: sum(parameter.numel() for parameter in module.parameters())
            for role, module in work.pair.modules.items()
        },
        rounds=[cattrs.structure(line, RoundRecord) for line in state.history],
        timing=list(state.timing),
        definitions=definitions(work.metrics),
        period=[value if math.isfinite(value) else None for value in work.pair.bridge.grid.period.tolist()],
    )


def finished_record(directory: RunDirectory, work: Assembly, state: State) -> RunRecord | None:
    """Return the record of a run that has nothing left to do."""
    report = directory.path / "report.json"
    if state.round <= work.runfile.em.rounds or not report.exists() or not directory.model.exists():
        return None
    try:
        record = read_report(directory.path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, cattrs.BaseValidationError):
        return None  # it is made again
    return record if record.finished and len(record.rounds) == state.round else None
