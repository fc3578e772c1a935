"""Keys of the run file that earlier versions had in other places, brought to today's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["modern_optimizer"]

_STEP = {"step_epochs": ("epochs", 10), "step_factor": ("factor", 0.1)}
_MOMENTUM = 0.9


def modern_optimizer(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return an optimizer's table as it is written today.

    Earlier versions had the settings of the schedule `step` beside its name, and wrote `momentum` and these settings
    into every resolved file. Where nothing reads them, their defaults are dropped; other values stay, and are refused.

    Parameters
    ----------
    table : mapping
        The table as in the file.
    """
    table = dict(table)
    if isinstance(table.get("schedule"), str):
        schedule: dict[str, Any] = {"name": table["schedule"]}
        for old, (new, default) in _STEP.items():
            if schedule["name"] == "step" and old in table:
                schedule[new] = table.pop(old)
            elif table.get(old) == default:
                del table[old]
        table["schedule"] = schedule
    if table.get("name", "adamw") == "adamw" and table.get("momentum") == _MOMENTUM:
        del table["momentum"]
    return table
