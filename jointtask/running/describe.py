"""The record of a run: what it is, and how far it has come."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs

from jointtask.api.dataset import Dataset
from jointtask.api.metric import definitions
from jointtask.api.record import RunRecord
from jointtask.em.assembly import Assembly
from jointtask.em.state import State
from jointtask.runfile.load import resolved
from jointtask.running.directory import RunDirectory

__all__ = ["describe", "so_far"]

_NOT_IN_THE_RECORD = ("plugins", "scores", "code", "data", "examples")
"""Parts of a run's versions that are mappings, or stand elsewhere in its record."""


def describe(directory: RunDirectory, assembly: Assembly, versions: Mapping[str, Any]) -> RunRecord:
    """Return the record of a run that has done nothing yet; `versions` is what `versions_of` gives for it."""
    plain = {name: str(value) for name, value in versions.items() if name not in _NOT_IN_THE_RECORD}
    return RunRecord(
        name=assembly.runfile.run.name,
        directory=str(directory.path),
        config=resolved(assembly.runfile),
        versions={**plain, **versions["scores"], **versions["plugins"]},
        data={
            name: {"examples": len(data), "fingerprint": data.fingerprint, "notes": list(data.notes), **_shards(data)}
            for name, data in assembly.data.items()
        },
        parameters={
            role: sum(parameter.numel() for parameter in module.parameters())
            for role, module in assembly.pair.modules.items()
        },
        definitions=definitions(assembly.metrics),
        period=[value if math.isfinite(value) else None for value in assembly.pair.bridge.grid.period.tolist()],
    )


def _shards(data: Dataset) -> dict[str, Any]:
    return {"starts": list(data.starts)} if hasattr(data, "starts") else {}


def so_far(record: RunRecord, state: State) -> RunRecord:
    """Return the record with the rounds that the state has finished."""
    return attrs.evolve(record, rounds=list(state.history), timing=list(state.timing), validated=dict(state.validated))
