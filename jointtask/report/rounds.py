"""What a terminal shows of each round: the objective, how the sampler did, the scores, and the time left."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jointtask.api.record import RoundRecord, RunRecord
from jointtask.report.advice import setting, warnings
from jointtask.tools import text

__all__ = ["RoundLines"]


class RoundLines:
    """Writes the lines of each round, and each piece of advice once in a run."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, record: RunRecord) -> list[str]:
        """Return the line of the last round, and a line for each warning that was not given before.

        Parameters
        ----------
        record : RunRecord
            The run so far, with at least one round.
        """
        entry = record.rounds[-1]
        left = _time_left(record)
        parts = [*_facts(entry, record), *([f"about {text.duration(left)} of training left"] if left else [])]
        name = f"round {entry.round} of {_rounds(record)}" if entry.round else "warm-up"
        lines = [f"{name}: {', '.join(parts)}"] if parts else []
        for warning in warnings(record):
            advice = re.sub(r"\d[\d,.]*", "#", warning)  # advice that differs in its numbers alone comes once
            if advice not in self._said:
                self._said.add(advice)
                lines.append(f"advice: {warning}")
        return lines


def _facts(entry: RoundRecord, record: RunRecord) -> list[str]:
    facts = []
    if entry.start is not None and entry.estimate is not None:
        facts.append(f"objective {text.number(entry.start.total)} to {text.number(entry.estimate.total)}")
    if entry.sampler is not None:
        if entry.sampler.acceptance is not None:
            facts.append(f"acceptance {text.share(entry.sampler.acceptance)}")
        facts.append(f"moved {text.share(entry.sampler.moved)}")
    for name, value in entry.validation.items():
        percent = bool(record.definitions.get(name, {}).get("percent", False))
        facts.append(f"{name} {text.score(value, percent)}{text.PERCENT if percent else ''}")
    return facts


def _rounds(record: RunRecord) -> int:
    return int(setting(record.config, "em", "rounds", 0))


def _time_left(record: RunRecord) -> float:
    """Return the seconds of the remaining rounds, at the mean of the finished ones; 0 after the warm-up alone."""
    seconds: dict[int, float] = {}
    for line in record.timing:
        if line["round"] > 0:
            seconds[line["round"]] = seconds.get(line["round"], 0.0) + line["seconds"]
    remaining = _rounds(record) - record.rounds[-1].round
    return remaining * _mean(list(seconds.values())) if seconds else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
