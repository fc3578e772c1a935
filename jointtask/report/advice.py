"""What a user should look at in a run: each warning says what was seen, why it matters and which setting to change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from jointtask.api.record import OWN, RoundRecord, RunRecord, SamplerRecord
from jointtask.em.part import parts_of
from jointtask.registry.settings import either
from jointtask.report.scores import ScoreTable, score_tables
from jointtask.tools import text

__all__ = ["edge_share", "goes_round", "setting", "warnings"]

RISE = 0.01  # a smaller relative rise of the objective is the noise of stochastic gradients
ACCEPTANCE = 0.05  # below, 20 moves accept one
REGRET = 0.1  # share of the possible gain that the sampler left
EDGE = 0.6  # five levels hit at random put 0.4 of the estimates on the two outer ones


def setting(config: Mapping[str, Any], table: str, key: str, default: Any = None) -> Any:
    """Return one key of one table of a resolved run file."""
    values = config.get(table)
    return values.get(key, default) if isinstance(values, Mapping) else default


def warnings(record: RunRecord, tables: Sequence[ScoreTable] | None = None) -> list[str]:
    """Return the record's own warnings and those that its numbers call for, each once.

    Parameters
    ----------
    record : RunRecord
        The run, finished or not.
    tables : sequence of ScoreTable, optional
        Score tables of the record; by default they are made from it.

    Returns
    -------
    list of str
        One or two sentences each, naming a setting to change.
    """
    lines = [*record.warnings, *_objective(record)]
    sampled = [entry for entry in record.rounds if entry.sampler is not None]
    if sampled and setting(record.config, "sampler", "name") != "none":
        last = sampled[-1]
        assert last.sampler is not None  # for the type checker: chosen so above
        lines += _sampler(last.round, last.sampler, record.config)
        lines += _edges(last, record.period)
    lines += _scores(score_tables(record) if tables is None else tables)
    return list(dict.fromkeys(lines))


def edge_share(histogram: Mapping[str, int]) -> float:
    """Return the share of estimates at the outermost levels of one coordinate, NaN if it has under three levels."""
    levels = sorted(histogram, key=float)
    total = sum(histogram.values())
    if len(levels) < 3 or not total:
        return math.nan
    return (histogram[levels[0]] + histogram[levels[-1]]) / total


def goes_round(histogram: Mapping[str, int], period: float | None) -> bool:
    """Say whether the levels go all the way round a ring: the outermost are then neighbours, and no edge."""
    levels = sorted(map(float, histogram))
    if period is None or len(levels) < 3:
        return False
    return levels[0] + period - levels[-1] <= max(b - a for a, b in pairwise(levels)) * (1 + 1e-6)


def _objective(record: RunRecord) -> list[str]:
    totals = {entry.round: entry.estimate.total for entry in record.rounds if entry.estimate is not None}
    # A round is compared with the last one over the same examples.
    parts = parts_of(record).count if record.config.get("em", {}).get("part", 1.0) < 1 else 1
    rises = [
        f"by {text.share((after - before) / abs(before))} in round {number}"
        for number, after in totals.items()
        if (before := totals.get(number - parts, after)) < after and after - before > RISE * abs(before) > 0
    ]
    if not rises:
        return []
    return [
        f"The objective at the estimate rose {', '.join(rises)}. EM with small steps lowers it: "
        "lower upstream.optimizer.rate or downstream.optimizer.rate."
    ]


def _sampler(number: int, seen: SamplerRecord, config: Mapping[str, Any]) -> list[str]:
    lines = []
    longer = ["raise sampler.moves"] if setting(config, "sampler", "moves") is not None else []
    if seen.acceptance is not None and seen.acceptance < ACCEPTANCE:
        ways = either([*longer, "remove a [[proposal]] term", "set sampler.name = 'gibbs'"])
        lines.append(
            f"Only {text.share(seen.acceptance)} of the moves of round {number} were accepted, so chains hardly leave "
            f"where they start: {ways}."
        )
    if seen.gain < 0:
        lines.append(
            f"The estimates of round {number} have a higher energy than no adjustment: set sampler.estimate = 'best'."
        )
    if seen.moved == 0:
        lines.append(
            f"No estimate of round {number} differs from no adjustment, so joint training changes nothing: "
            f"{either(['raise downstream.weight', *longer])}."
        )
    draws = setting(config, "em", "draws", 1)
    if setting(config, "sampler", "estimate") == "weighted" and seen.effective is not None and seen.effective < draws:
        lines.append(
            f"Round {number} had {text.number(seen.effective)} effective draws an example where em.draws asks for "
            f"{draws}: {either([*longer, 'lower em.draws'])}."
        )
    if seen.oracle is not None and seen.oracle.regret > REGRET * max(seen.gain + seen.oracle.regret, 0.0) > 0:
        ways = either([*longer, "set sampler.name = 'exhaustive'"])
        lines.append(
            f"The sampler's estimates of round {number} stay {text.number(seen.oracle.regret)} above the exhaustive "
            f"optimum (mean of {seen.oracle.examples} examples, em.oracle_examples), where the gain is "
            f"{text.number(seen.gain)}: {ways}."
        )
    return lines


def _edges(last: RoundRecord, period: Sequence[float | None]) -> list[str]:
    full = [
        d
        for d, histogram in enumerate(last.adjustment)
        if edge_share(histogram) > EDGE and not (d < len(period) and goes_round(histogram, period[d]))
    ]
    if not full:
        return []
    which = ", ".join(str(d + 1) for d in full)
    return [
        f"More than {100 * EDGE:.0f} % of the estimates of round {last.round} lie at the outermost levels of "
        f"coordinate {which}: the grid may be too narrow; widen bridge.levels."
    ]


def _scores(tables: Sequence[ScoreTable]) -> list[str]:
    lines = []
    for table in tables:
        own = next((row for row in table.rows if row.own), None)
        if own is None or not table.columns:
            continue
        column, mine = table.columns[0], own.cells[0]
        if math.isnan(mine.value):
            lines.append(
                f"{column.name} of {OWN} on {table.data} is not a number: look at the data's notes, and lower "
                "downstream.optimizer.rate if the objective is none either."
            )
            continue
        sign = -1 if column.better == "lower" else 1
        for row in table.rows:
            if not row.own and sign * row.cells[0].value >= sign * mine.value:
                lines.append(
                    f"{row.name} scores {column.name} {row.cells[0].text} on {table.data}, no worse than the run's "
                    f"{mine.text}: train longer (em.warmup_epochs, em.rounds) or raise the optimizers' rate."
                )
    return lines
