"""One run, from its run file to its report."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import cattrs

from jointtask.api.errors import ConfigError
from jointtask.api.progress import Progress
from jointtask.api.record import OWN, RoundRecord, RunRecord, ScoreRecord
from jointtask.em.assembly import Assembly
from jointtask.em.batches import Examples
from jointtask.em.kept import kept_weights, over, weights_in_use
from jointtask.em.latents import Latents
from jointtask.em.predict import Predictor, make_predictor
from jointtask.em.processes import ALONE, World
from jointtask.em.score import Predict, one_by_one, score, through
from jointtask.em.state import State
from jointtask.em.train import train
from jointtask.registry.attribution import blaming, tolerated
from jointtask.report import read_report, warnings, write_report
from jointtask.report.panels import draw_panels
from jointtask.runfile.load import dump
from jointtask.runfile.schema import RunFile
from jointtask.running.assemble import assemble, assemble_optimizers
from jointtask.running.autosave import Autosave
from jointtask.running.describe import describe, so_far
from jointtask.running.directory import ReadOnlyRunDirectory, RunDirectory
from jointtask.running.lock import locked
from jointtask.running.same_run import require_same_run, versions_of
from jointtask.running.weights import pair_tensors, start_from

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["run"]


def run(runfile: RunFile, registry: Registry, *, fresh: bool, progress: Progress, world: World = ALONE) -> RunRecord:
    """Train, score and report a run file; a run that was interrupted is continued.

    Parameters
    ----------
    runfile : RunFile
        The run file.
    registry : Registry
        The components that it can name.
    fresh : bool
        Whether to start again where there is a run to continue.
    progress : Progress
        Receives the phases and the messages.
    world : World
        The processes that share the run; only the leader writes files.

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
    lock = locked(directory.path, progress.say) if world.leader else nullcontext()
    with blaming(registry.plugins), lock:
        with world.machine_first("assemble"):
            assembly = assemble(runfile, registry, progress, world)
        return _run(directory, assembly, fresh)


def _run(directory: RunDirectory, assembly: Assembly, fresh: bool) -> RunRecord:
    progress, registry = assembly.context.progress, assembly.registry
    state, versions = new_state(assembly), versions_of(assembly)
    with assembly.world.leader_first("open"):
        notes = open_directory(directory, assembly, versions, state, fresh)
    finished = finished_record(directory, assembly, state)
    assembly.world.require_same(lambda: {**state.agreement(), "finished": finished is not None})
    if finished:
        progress.say(f"{directory.path}: this run is finished; --fresh starts it again, a larger em.rounds extends it")
        return finished
    processes = f", {assembly.world.size} processes" if assembly.world.size > 1 else ""
    for line in [f"device: {versions['device']}{processes}", *notes]:
        progress.say(line)
    directory.write_identity(dump(assembly.runfile), versions)
    begun = describe(directory, assembly, versions)

    def observe(hook: str, **arguments: Any) -> None:
        for line in registry.notify(hook, **arguments) if assembly.world.leader else ():
            progress.say(line)

    def round_finished(done: RoundRecord) -> None:
        directory.write_lines("history.jsonl", state.history)
        directory.write_lines("timing.jsonl", state.timing)
        observe("jointtask_round_finished", record=done)

    steps = max(optimizer.steps for optimizer in state.optimizers.values())
    observe("jointtask_run_started", record=so_far(begun, state))
    assembly.observers.tell("run_started", so_far(begun, state), steps)
    try:
        with assembly.world.machine_first("prepare"):
            examples = Examples(assembly.train, assembly.estep.terms, assembly.runfile, assembly.context)
        with Autosave(directory, state, assembly.runfile.run.checkpoint_seconds, assembly.world) as autosave:
            train(assembly, examples, state, autosave, round_finished)
        with weights_in_use(assembly.pair, kept_weights(state)):
            record = finish(directory, assembly, so_far(begun, state), state, examples)
    except BaseException as error:
        observe("jointtask_run_failed", record=so_far(begun, state), error=error)
        assembly.observers.tell("run_failed", so_far(begun, state), error)
        raise
    observe("jointtask_run_finished", record=record)
    assembly.observers.tell("run_finished", record)
    return record


def new_state(assembly: Assembly) -> State:
    """Return the state of a run that has done nothing yet."""
    em, pair = assembly.runfile.em, assembly.pair
    start_from(pair, assembly.runfile.run.start, assembly.registry)
    epochs = em.warmup_epochs + em.rounds * em.epochs_per_round
    steps = -(-len(assembly.train) // em.batch_size)
    return State(
        pair=pair,
        optimizers=assemble_optimizers(assembly, epochs, steps),
        latents=Latents.empty(len(assembly.train), assembly.estep.draws, pair.bridge.grid.dimensions),
    )


def open_directory(
    directory: RunDirectory, assembly: Assembly, versions: Mapping[str, Any], state: State, fresh: bool
) -> list[str]:
    """Restore the state from the run directory, if it holds this run; return lines for the user."""
    notes: list[str] = []
    directory.remove_leftovers()
    if fresh:
        directory.clear()
    elif directory.exists:
        notes += require_same_run(directory, assembly, versions)
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


def finish(
    directory: RunDirectory, assembly: Assembly, record: RunRecord, state: State, examples: Examples
) -> RunRecord:
    """Score the trained pair and the predictors beside it, write all files of the run and return its whole record."""
    directory.write_results(pair_tensors(assembly.pair), state.latents.tensors())
    directory.write_lines("history.jsonl", state.history)
    directory.write_lines("timing.jsonl", state.timing)
    predictor = make_predictor(assembly.pair, assembly.runfile)
    record = attrs.evolve(record, scores=final_scores(assembly, predictor), finished=True)
    record = attrs.evolve(record, warnings=warnings(record))
    if not assembly.world.leader:
        return record
    panels = draw_panels(assembly, predictor, examples, state.latents, record)
    assembly.observers.tell("panels_drawn", panels)
    bridge = assembly.pair.bridge
    write_report(
        record,
        panels,
        directory.path,
        coordinates=bridge.coordinates,
        units=bridge.units,
        commands=assembly.registry.uses("bridge", assembly.runfile.bridge.name),
    )
    for component in assembly.registry.components("reporter"):
        with tolerated(assembly.context.progress.say, f"the reporter '{component.name}'"):
            component.build(component.settings(), assembly.context)(record, directory.path)
    return record


def final_scores(assembly: Assembly, predictor: Predictor) -> list[ScoreRecord]:
    """Score on the test data, or on the validation data if there is no test data."""
    name, data = ("test", assembly.test) if assembly.test is not None else ("validation", assembly.validation)
    if data is None or not assembly.metrics:
        return []
    contestants: dict[str, AbstractContextManager[Predict]] = {OWN: nullcontext(through(predictor))}
    contestants |= {
        key: one_by_one(function, assembly.context.workers) for key, function in assembly.predictors.items()
    }
    records = []
    for key, contestant in contestants.items():
        with contestant as predict:
            records.append(
                score(
                    predict,
                    data,
                    assembly.metrics,
                    predictor=key,
                    data=name,
                    batch_size=assembly.runfile.predict.batch_size,
                    progress=assembly.context.progress,
                    world=assembly.world,
                )
            )
    return records


def finished_record(directory: RunDirectory, assembly: Assembly, state: State) -> RunRecord | None:
    """Return the record of a run that has nothing left to do."""
    report = directory.path / "report.json"
    if not over(assembly, state) or not report.exists() or not directory.model.exists():
        return None
    try:
        record = read_report(directory.path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, cattrs.BaseValidationError):
        return None  # it is made again
    return record if record.finished and len(record.rounds) == state.round else None
