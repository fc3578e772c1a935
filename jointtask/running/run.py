"""One run, from its run file to its report."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cattrs

from jointtask.api.errors import ConfigError
from jointtask.api.progress import Progress
from jointtask.api.record import RoundRecord, RunRecord
from jointtask.em.assembly import Assembly
from jointtask.em.batches import Examples
from jointtask.em.kept import over
from jointtask.em.latents import Latents
from jointtask.em.processes import ALONE, World
from jointtask.em.scaling import loss_scale
from jointtask.em.state import Checkpoint, State
from jointtask.em.train import train
from jointtask.registry.attribution import attributed
from jointtask.registry.sources import reason
from jointtask.report.rounds import RoundLines
from jointtask.runfile.load import dump
from jointtask.runfile.schema import RunFile
from jointtask.running.assemble import assemble, assemble_optimizers
from jointtask.running.autosave import Autosave, told_as_stop
from jointtask.running.describe import describe, so_far
from jointtask.running.directory import ReadOnlyRunDirectory, RunDirectory
from jointtask.running.finish import Ending, finish
from jointtask.running.finished import scoring, stored_record, to_make_again
from jointtask.running.lock import locked
from jointtask.running.probe import Probe
from jointtask.running.round_panels import draw_round
from jointtask.running.same_run import require_same_run, versions_of
from jointtask.running.signals import Signals
from jointtask.running.weights import start_from

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["run"]


def run(
    runfile: RunFile,
    registry: Registry,
    *,
    fresh: bool,
    progress: Progress,
    world: World = ALONE,
    tried: bool = False,
) -> RunRecord:
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
        Receiver of phases and messages.
    world : World
        The processes that share the run; only the leader writes files.
    tried : bool
        See `assemble`.

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
    with attributed(registry), lock, told_as_stop(directory), Signals(many=world.size > 1) as signals:
        with world.machine_first("assemble"):
            assembly = assemble(runfile, registry, progress, world, tried=tried)
        return _run(directory, assembly, fresh, signals)


def _run(directory: RunDirectory, assembly: Assembly, fresh: bool, signals: Signals) -> RunRecord:
    progress, registry, world = assembly.context.progress, assembly.registry, assembly.world
    state, versions = new_state(assembly), versions_of(assembly)
    with world.leader_first("open"):
        checkpoint, notes = open_directory(directory, assembly, versions, state, fresh)
    scored_by = scoring(assembly, versions)
    record = describe(directory, assembly, versions)
    again = to_make_again(directory, assembly.runfile.em.rounds, scored_by) if world.leader else None
    again = world.gather([again])[0]
    world.require_same(state.agreement)
    done = stored_record(directory) if again is not None else None
    if done and not again:
        progress.say(f"{directory.path}: this run is finished; --fresh starts it again, a larger em.rounds extends it")
        return done
    if again is not None and over(assembly, state):
        progress.say(f"{directory.path}: this run is finished, but not whole; made again: {', '.join(again)}")
        scores = done.scores if done and not {"report.json", "scores"} & {*again} else None
        ending = Ending(directory, assembly, so_far(record, state), state, prepare(assembly), scored_by)
        return finish(ending, scores)
    processes = f", {world.size} processes" if world.size > 1 else ""
    for line in [f"device: {versions['device']}{processes}", *notes]:
        progress.say(line)
    directory.write_identity(dump(assembly.runfile), versions)

    def observe(hook: str, **arguments: Any) -> None:
        for line in registry.notify(hook, **arguments) if world.leader else ():
            progress.say(line)

    round_lines = RoundLines()

    def round_finished(done: RoundRecord) -> None:
        directory.write_lines(directory.history, state.history)
        directory.write_lines(directory.timing, state.timing)
        for line in round_lines(so_far(record, state)):
            progress.say(line)
        observe("jointtask_round_finished", record=done)

    steps = max(optimizer.steps for optimizer in state.optimizers.values())
    observe("jointtask_run_started", record=so_far(record, state))
    assembly.observers.tell("run_started", so_far(record, state), steps)
    try:
        with told_as_stop(directory):
            examples = prepare(assembly)
            probe = Probe(assembly.pair, examples)
            if checkpoint is not None:
                probe.require_same(checkpoint)
            every = assembly.runfile.run.checkpoint_seconds
            autosave = Autosave(directory, state, every, signals, probe, world)

            def show(done: RoundRecord) -> None:
                draw_round(directory.panels, assembly, examples, state, done.round)

            with signals.deferred():
                train(assembly, examples, state, autosave, round_finished, show)
            return finish(Ending(directory, assembly, so_far(record, state), state, examples, scored_by, observe))
    except BaseException as error:
        observe("jointtask_run_failed", record=so_far(record, state), error=error)
        assembly.observers.tell("run_failed", so_far(record, state), error)
        raise


def prepare(assembly: Assembly) -> Examples:
    """Prepare the training data for the proposal terms; one process of each machine fills the cache."""
    with assembly.world.machine_first("prepare"):
        return Examples(
            assembly.train,
            assembly.estep.terms,
            assembly.runfile,
            assembly.context,
            assembly.pair.names["data"],
        )


def new_state(assembly: Assembly) -> State:
    """Return the state of a run that has done nothing yet."""
    pair = assembly.pair
    start_from(pair, assembly.runfile.run.start, assembly.registry)
    return State(
        pair=pair,
        optimizers=assemble_optimizers(assembly),
        latents=Latents.empty(len(assembly.train), assembly.estep.draws, pair.bridge.grid.dimensions),
        scale=loss_scale(pair),
    )


def open_directory(
    directory: RunDirectory, assembly: Assembly, versions: Mapping[str, Any], state: State, fresh: bool
) -> tuple[Checkpoint | None, list[str]]:
    """Restore the state from the run directory, if it holds this run.

    Returns
    -------
    checkpoint : Checkpoint or None
        What the state was restored from; None in a run that begins.
    notes : list of str
        Lines for the user.
    """
    directory.require_files()
    notes: list[str] = []
    directory.remove_leftovers()
    if fresh:
        directory.clear()
    elif directory.exists:
        notes += require_same_run(directory, assembly, versions)
        checkpoint, damaged = directory.latest_checkpoint()
        notes += damaged
        if checkpoint is not None:
            _restore(directory, state, checkpoint)
            notes.append(f"{directory.path}: going on in round {state.round}, after {state.epoch} epochs")
        return checkpoint, notes
    elif directory.path.is_dir() and directory.taken:
        raise ConfigError(
            f"{directory.path} is not empty and holds no run",
            cause="it has checkpoints, but no config.toml" if directory.has_checkpoints else "",
            remedy="give this run another name (--set run.name=...) or another folder (--output);"
            " --fresh starts it there, beside what is no run's",
        )
    return None, notes


def _restore(directory: RunDirectory, state: State, checkpoint: Checkpoint) -> None:
    try:
        state.restore(checkpoint)
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError, cattrs.BaseValidationError) as error:
        raise ConfigError(
            f"the last checkpoint in {directory.checkpoints} does not fit this run",
            cause=f"it was written by another version, or for other networks: {reason(error)}",
            remedy="use the plugin versions in versions.json, or start again with --fresh",
        ) from error
