"""The predictors that stand beside the arms of a comparison: scored once, whatever the number of runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from attrs import frozen

from jointtask.api.errors import UserError
from jointtask.api.progress import Progress
from jointtask.api.record import RunRecord, ScoreRecord
from jointtask.compare.arms import Plan
from jointtask.compare.outcome import Outcome
from jointtask.running.assemble import assemble
from jointtask.running.autosave import StoppedError
from jointtask.running.beside import names_beside
from jointtask.running.finish import predictor_scores

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["Scored", "score_predictors"]


@frozen
class Scored:
    """Scores of predictors, and a text that says what they depend on: with the same text, they are the same."""

    scores: Sequence[ScoreRecord] = ()
    of: str = ""


def score_predictors(
    plan: Plan, outcomes: Sequence[Sequence[Outcome]], registry: Registry, progress: Progress
) -> Scored:
    """Score the predictors beside the reference arm on its data, or take the scores from `comparison.json`.

    Parameters
    ----------
    plan : Plan
        The comparison.
    outcomes : sequence of sequences of Outcome
        Outcomes by arm and seed.
    registry : Registry
        Registry that the predictors are looked up in.
    progress : Progress
        Receiver of messages: a predictor that fails is told, and has no row.
    """
    position = [arm.name for arm in plan.arms].index(plan.reference)
    arm = plan.arms[position]
    record = next((outcome for outcome in outcomes[position] if isinstance(outcome, RunRecord)), None)
    names = names_beside(arm.runfile, registry)
    if record is None or not names or not record.scores:
        return Scored()
    used = [named for named in arm.runfile.components() if named[0] in ("metric", "dataset")]
    used += [("predictor", name) for name in names]
    data = {name: facts.get("fingerprint") for name, facts in record.data.items()}
    of = json.dumps([sorted(map(list, used)), registry.versions(used), data], sort_keys=True, default=str)
    before = _read(plan)
    if before.of == of:
        return before
    threads = torch.get_num_threads()
    try:
        return Scored(predictor_scores(assemble(arm.runfile, registry, progress, tried=True)), of)
    except StoppedError:
        raise
    except UserError as error:
        progress.say(f"warning: the predictors beside the arms have no rows: {error}")
        return Scored()
    finally:
        torch.set_num_threads(threads)


def _read(plan: Plan) -> Scored:
    """Return what an earlier call left; nothing if it cannot be read."""
    try:
        stored = json.loads((plan.folder / "comparison.json").read_text(encoding="utf-8"))["beside"]
        return Scored([ScoreRecord(**scores) for scores in stored["scores"]], stored["of"])
    except (OSError, ValueError, TypeError, KeyError):
        return Scored()
