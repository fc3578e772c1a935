"""What the E-steps of an arm did: the numbers that an author of samplers compares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from jointtask.api.record import RunRecord
from jointtask.compare.record import Comparison
from jointtask.tools import text

__all__ = ["diagnostics", "sampler_rows"]

_COLUMNS = (
    ("acceptance", "acceptance", text.share),
    ("moved", "examples moved", text.share),
    ("gain", "energy gained", text.number),
    ("regret", "regret", text.number),
    ("mass", "posterior mass", text.share),
    ("effective", "effective draws", text.number),
    ("evaluated", "evaluations an example", text.number),
    ("seconds", "E-steps", text.duration),
)


def diagnostics(records: Sequence[RunRecord]) -> dict[str, float]:
    """Return the means over runs of the last round's E-step, and of the time of all E-steps; see `ArmRecord`."""
    by_name: dict[str, list[float]] = {}
    for record in records:
        for name, value in _of_run(record).items():
            if value is not None and math.isfinite(value):
                by_name.setdefault(name, []).append(value)
    return {name: math.fsum(values) / len(values) for name, values in by_name.items()}


def _of_run(record: RunRecord) -> Mapping[str, float | None]:
    last = next((entry.sampler for entry in reversed(record.rounds) if entry.sampler is not None), None)
    if last is None:
        return {}
    names = ("acceptance", "moved", "gain", "effective", "evaluated")
    values: dict[str, float | None] = {name: getattr(last, name) for name in names}
    if last.oracle is not None:
        values |= {"regret": last.oracle.regret, "mass": last.oracle.mass}
    values["seconds"] = math.fsum(float(entry["seconds"]) for entry in record.timing if entry["phase"] == "E-step")
    return values


def sampler_rows(comparison: Comparison) -> list[list[str]]:
    """Return a header, and a row for each arm: its E-steps; empty if there was none."""
    measured = {name for arm in comparison.arms for name in arm.diagnostics}
    shown = [column for column in _COLUMNS if column[0] in measured]
    if not shown:
        return []
    rows = [["arm", *(title for _, title, _ in shown)]]
    for arm in comparison.arms:
        values = [(arm.diagnostics.get(name), write) for name, _, write in shown]
        rows.append([arm.name, *(text.MISSING if value is None else write(value) for value, write in values)])
    return rows
