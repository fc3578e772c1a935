"""From the records of the runs to the record of their comparison."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from jointtask.api.errors import UserError
from jointtask.api.record import OWN, RunRecord, ScoreRecord
from jointtask.compare.arms import Arm, Plan
from jointtask.compare.diagnostics import diagnostics
from jointtask.compare.record import ArmRecord, Comparison, Cost, Identical, SeedRecord, Statistic
from jointtask.em.part import parts_of
from jointtask.report.scores import columns, metric_of
from jointtask.tools.statistics import RESAMPLES, bootstrap_interval, mean_interval
from jointtask.tools.text import finite

__all__ = ["Outcome", "summarise"]

Outcome = RunRecord | UserError
"""What became of a run: its record, or why there is none."""


def summarise(
    plan: Plan,
    outcomes: Sequence[Sequence[Outcome]],
    unread: Sequence[Sequence[str]],
    predictors: Sequence[ScoreRecord] = (),
) -> Comparison:
    """Compare the runs of all arms.

    Parameters
    ----------
    plan : Plan
        Plan of the comparison.
    outcomes : sequence of sequences of Outcome
        Outcomes by arm and seed. Runs with the same position have the same seed, unless an arm sets it.
    unread : sequence of sequences of str
        Result of `unread_settings` for the run file of each arm.
    predictors : sequence of ScoreRecord
        Scores of the predictors beside the arms.

    Returns
    -------
    Comparison
    """
    runs = [
        [_seed_record(plan, arm, k, outcome) for k, outcome in enumerate(row)]
        for arm, row in zip(plan.arms, outcomes, strict=True)
    ]
    scores = [[_own_scores(outcome) for outcome in row] for row in outcomes]
    finished = [outcome for row in outcomes for outcome in row if isinstance(outcome, RunRecord)]
    scored = [score for row in scores for score in row if score is not None]
    named = dict.fromkeys(column.name for record in finished for column in columns(record))
    summaries = [name for name in named if any(name in score.values for score in scored)]
    metrics = {name: metric_of(name, scored) for name in summaries}
    against = scores[[arm.name for arm in plan.arms].index(plan.reference)]
    arms = [
        ArmRecord(
            name=arm.name,
            settings=arm.settings,
            unread=_unread(arm, lines),
            runs=records,
            statistics={
                name: _statistic(name, metrics[name], own, None if own is against else against)
                for name in summaries
                if any(score is not None for score in own)
            },
            cost=_mean_cost([run.cost for run in records if run.cost is not None]),
            diagnostics=diagnostics([outcome for outcome in row if isinstance(outcome, RunRecord)]),
        )
        for arm, records, own, lines, row in zip(plan.arms, runs, scores, unread, outcomes, strict=True)
    ]
    return Comparison(
        name=plan.name,
        directory=str(plan.folder),
        reference=plan.reference,
        data=scored[0].data if scored else "",
        examples=scored[0].examples if scored else 0,
        seeds=plan.seeds,
        arms=arms,
        identical=_identical(arms, scores),
        notes=_notes(finished, scored),
        definitions={name: definition for record in finished for name, definition in record.definitions.items()},
        resamples=RESAMPLES,
        predictors=[_beside(score, summaries, metrics, against) for score in predictors],
    )


def _beside(
    score: ScoreRecord,
    summaries: Sequence[str],
    metrics: Mapping[str, str | None],
    against: Sequence[ScoreRecord | None],
) -> ArmRecord:
    """Return the row of a predictor: the same scores for every seed, so they have no interval over seeds."""
    statistics = {}
    for name in summaries:
        if name in score.values:
            metric = metrics[name] if metrics[name] in score.per_example else None
            statistics[name] = evolve(_statistic(name, metric, [score] * len(against), against), interval=None)
    return ArmRecord(score.predictor, {}, (), (), statistics)


def _seed_record(plan: Plan, arm: Arm, position: int, outcome: Outcome) -> SeedRecord:
    table = arm.at(plan.folder, position).run
    if isinstance(outcome, UserError):
        return SeedRecord(table.seed, table.name, failure=str(outcome))
    own = _own_scores(outcome)
    return SeedRecord(
        seed=table.seed,
        directory=table.name,
        values={} if own is None else own.values,
        rounds=[entry.round for entry in outcome.rounds],
        objective=[math.nan if entry.estimate is None else entry.estimate.total for entry in outcome.rounds],
        validation={
            name: [finite(entry.validation.get(name)) for entry in outcome.rounds]
            for name in dict.fromkeys(name for entry in outcome.rounds for name in entry.validation)
        },
        cost=_cost(outcome),
        weights=hashlib.sha256((Path(outcome.directory) / "model.safetensors").read_bytes()).hexdigest(),
    )


def _own_scores(outcome: Outcome) -> ScoreRecord | None:
    if isinstance(outcome, UserError):
        return None
    return next((score for score in outcome.scores if score.predictor == OWN), None)


def _cost(record: RunRecord) -> Cost:
    examples = int(record.data["train"]["examples"])
    em = record.config["em"]
    parts = parts_of(record)
    sampled = [parts.examples(entry.round) - parts.examples(entry.round - 1) for entry in record.rounds if entry.round]
    evaluated = [entry.sampler.evaluated for entry in record.rounds if entry.sampler]
    return Cost(
        seconds=math.fsum(float(entry["seconds"]) for entry in record.timing),
        evaluations=math.fsum(count * mean for count, mean in zip(sampled, evaluated, strict=True)),
        presented=examples * em["warmup_epochs"] + parts.examples(em["rounds"]) * em["epochs_per_round"],
    )


def _mean_cost(costs: Sequence[Cost]) -> Cost | None:
    if not costs:
        return None
    return Cost(
        seconds=math.fsum(cost.seconds for cost in costs) / len(costs),
        evaluations=math.fsum(cost.evaluations for cost in costs) / len(costs),
        presented=costs[0].presented,  # the same for every seed
    )


def _statistic(
    name: str, metric: str | None, own: Sequence[ScoreRecord | None], against: Sequence[ScoreRecord | None] | None
) -> Statistic:
    values = [finite(score.values.get(name)) for score in own if score is not None]
    mean, interval = math.fsum(values) / len(values), mean_interval(values)
    both = zip(own, [None] * len(own) if against is None else against, strict=True)
    pairs = [(a, b) for a, b in both if a and b and name in a.values and name in b.values]
    if not pairs:
        return Statistic(mean, interval)
    differences = np.array([_differences(a, b, metric) for a, b in pairs]) if metric and _same_ids(pairs) else None
    if differences is None:
        difference = math.fsum(finite(a.values.get(name)) - finite(b.values.get(name)) for a, b in pairs) / len(pairs)
        return Statistic(mean, interval, difference)
    scored = differences[:, np.isfinite(differences).all(axis=0)]  # examples with a score in every run of both
    if not scored.size:
        return Statistic(mean, interval)
    return Statistic(mean, interval, float(scored.mean()), bootstrap_interval(scored))


def _same_ids(pairs: Sequence[tuple[ScoreRecord, ScoreRecord]]) -> bool:
    ids = {tuple(sorted(scores)) for pair in pairs for score in pair for scores in score.per_example.values()}
    return len(ids) == 1


def _differences(one: ScoreRecord, other: ScoreRecord, metric: str) -> NDArray[np.float64]:
    return np.subtract(*(_by_id(score.per_example[metric]) for score in (one, other)))


def _by_id(scores: Mapping[str, float]) -> NDArray[np.float64]:
    return np.array([finite(scores[name]) for name in sorted(scores)])


def _identical(arms: Sequence[ArmRecord], scores: Sequence[Sequence[ScoreRecord | None]]) -> list[Identical]:
    identical = []
    for one, other in itertools.combinations(range(len(arms)), 2):
        seeds: dict[bool, list[int]] = {}
        for a, b, x, y in zip(arms[one].runs, arms[other].runs, scores[one], scores[other], strict=True):
            if a.weights and a.weights == b.weights:
                seeds.setdefault(_same_scores(x, y), []).append(a.seed)
        names = arms[one].name, arms[other].name
        identical += [Identical(names, which, same) for same, which in seeds.items()]
    return identical


def _same_scores(one: ScoreRecord | None, other: ScoreRecord | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.per_example.keys() == other.per_example.keys() and all(
        one.per_example[metric].keys() == other.per_example[metric].keys()
        and np.array_equal(_by_id(one.per_example[metric]), _by_id(other.per_example[metric]), equal_nan=True)
        for metric in one.per_example
    )


def _unread(arm: Arm, lines: Sequence[str]) -> list[str]:
    """Return the lines of unread settings that are about what the arm sets."""

    def concerns(line: str, key: str) -> bool:
        unread = line.split(":")[0].split(" ")[0]
        return f"{key}.".startswith(f"{unread}.") or f"{unread}.".startswith(f"{key}.")

    return [line for line in lines if any(concerns(line, key) for key in arm.settings)]


def _notes(finished: Sequence[RunRecord], scored: Sequence[ScoreRecord]) -> list[str]:
    notes = []
    data = scored[0].data if scored else ""
    if len({record.data.get(data, {}).get("fingerprint") for record in finished}) > 1:
        notes.append("The arms were not scored on the same data: differences between them are not the methods' alone.")
    for name in ("device", "threads", "torch"):
        seen = sorted({record.versions[name] for record in finished if name in record.versions})
        if len(seen) > 1:
            notes.append(f"The runs differ in {name} ({', '.join(seen)}): times do not compare.")
    return notes
