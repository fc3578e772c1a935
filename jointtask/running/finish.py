"""The end of a run: final scores, the files that it leaves, its page and its mark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import attrs
from attrs import frozen

from jointtask.api.dataset import Dataset
from jointtask.api.metric import definitions
from jointtask.api.record import OWN, RunRecord, ScoreRecord
from jointtask.em.assembly import Assembly
from jointtask.em.batches import Examples
from jointtask.em.kept import kept_weights, weights_in_use
from jointtask.em.predict import Predictor, make_predictor
from jointtask.em.score import Predict, one_by_one, score, through
from jointtask.em.state import State
from jointtask.report import warnings, write_report
from jointtask.report.panels import draw_panels
from jointtask.runfile.load import resolved
from jointtask.running.collapse import constant_predictions, unweighted_tasks
from jointtask.running.directory import RunDirectory
from jointtask.running.finished import mark_finished
from jointtask.running.round_panels import round_panels
from jointtask.running.trained import without_pretraining
from jointtask.running.weights import pair_tensors
from jointtask.tools.plain import to_plain

__all__ = ["Ending", "final_scores", "finish", "predictor_scores"]


@frozen(eq=False)
class Ending:
    """A run whose training is over.

    Attributes
    ----------
    directory : RunDirectory
        The run directory.
    assembly : Assembly
        The networks, the data and the settings.
    record : RunRecord
        The record, with all rounds.
    state : State
        The state after the last round.
    examples : Examples
        The training data, for the panels.
    scoring : mapping
        Result of `finished.scoring` for the run.
    observe : callable or None
        Caller of the observers of a hook; None where a finished run is only made whole again.
    """

    directory: RunDirectory
    assembly: Assembly
    record: RunRecord
    state: State
    examples: Examples
    scoring: Mapping[str, Any]
    observe: Callable[..., None] | None = None


def finish(ending: Ending, scores: Sequence[ScoreRecord] | None = None) -> RunRecord:
    """Write all files that a run leaves, tell the observers, and mark the run as finished.

    Parameters
    ----------
    ending : Ending
        The run.
    scores : sequence of ScoreRecord, optional
        The final scores, where they are known.

    Returns
    -------
    RunRecord
        The record with scores and warnings.
    """
    with weights_in_use(ending.assembly.pair, kept_weights(ending.state)):
        return _finish(ending, scores)


def _finish(ending: Ending, scores: Sequence[ScoreRecord] | None) -> RunRecord:
    directory, assembly, state = ending.directory, ending.assembly, ending.state
    directory.write_results(pair_tensors(assembly.pair), model_description(assembly), state.latents.tensors())
    directory.write_lines(directory.history, state.history)
    directory.write_lines(directory.timing, state.timing)
    predictor = make_predictor(assembly.pair, assembly.runfile)
    scores = final_scores(assembly, predictor) if scores is None else scores
    lines = [*unweighted_tasks(assembly.runfile), *constant_predictions(predictor, _scored(assembly)[1])]
    record = attrs.evolve(ending.record, scores=scores, warnings=lines, finished=True)
    record = attrs.evolve(record, warnings=warnings(record))
    if not assembly.world.leader:
        return record
    panels = draw_panels(assembly, predictor, ending.examples, state.latents, record)
    bridge = assembly.pair.bridge
    write_report(
        record,
        [*panels, *round_panels(directory.panels)],
        directory.path,
        coordinates=bridge.coordinates,
        units=bridge.units,
        commands=assembly.registry.uses("bridge", assembly.runfile.bridge.name),
    )
    if ending.observe:
        assembly.observers.tell("panels_drawn", panels)
        ending.observe("jointtask_run_finished", record=record)
        assembly.observers.tell("run_finished", record)
    mark_finished(directory, assembly.runfile.em.rounds, ending.scoring)
    return record


def model_description(assembly: Assembly) -> dict[str, Any]:
    """Return what `model.safetensors` says of itself: how inputs are made, and how its scores are defined."""
    tables = resolved(without_pretraining(assembly.runfile))
    used = {name: tables[name] for name in ("upstream", "downstream", "bridge", "predict")}
    for role in ("upstream", "downstream"):
        used[role] = {key: value for key, value in used[role].items() if key != "optimizer"}
    return {"preprocessing": used, "scores": to_plain(definitions(assembly.metrics))}


def final_scores(assembly: Assembly, predictor: Predictor) -> list[ScoreRecord]:
    """Score on the test data, or on the validation data if there is no test data."""
    name, _ = _scored(assembly)
    if name == "train" or not assembly.metrics:
        return []
    return [*_score(assembly, {OWN: nullcontext(through(predictor))}), *predictor_scores(assembly)]


def predictor_scores(assembly: Assembly) -> list[ScoreRecord]:
    """Score the predictors beside the run on the same data."""
    workers = assembly.context.workers
    return _score(assembly, {key: one_by_one(function, workers) for key, function in assembly.predictors.items()})


def _score(assembly: Assembly, contestants: Mapping[str, AbstractContextManager[Predict]]) -> list[ScoreRecord]:
    name, data = _scored(assembly)
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


def _scored(assembly: Assembly) -> tuple[str, Dataset]:
    """Return the data that the final scores are taken on; the training data where there is no other."""
    sets = assembly.data
    name = next(name for name in ("test", "validation", "train") if name in sets)
    return name, sets[name]
