"""A data set of any number of generated examples, with an index: for ``benchmarks/scale.py --runs``.

It is that of `jointtask.testing.trial`, but that nothing of an example is in memory: names and digests are columns, and
values are made when they are asked for. With ``KILLED_AT=part:calls`` in the environment, the last process of a run
ends itself with SIGKILL at that call of "train" or "validation" batches, or of "index".
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from attrs import frozen
from torch import Tensor

from jointtask import hookimpl
from jointtask.api import Context, DatasetComponent, RunError, setting
from jointtask.testing.trial import Example, _sequence
from jointtask.tools import open_columns, write_columns

CALLS: dict[str, int] = {}


def called(part: str) -> None:
    """Count a call, and end this process if it is the one."""
    CALLS[part] = CALLS.get(part, 0) + 1
    last = os.environ.get("RANK", "0") == str(int(os.environ.get("WORLD_SIZE", "1")) - 1)
    if last and os.environ.get("KILLED_AT") == f"{part}:{CALLS[part]}":
        os.kill(os.getpid(), signal.SIGKILL)


@frozen
class GeneratedSettings:
    """Settings of the data set `generated`."""

    examples: int = setting(1000, "number of examples", ge=1)
    seed: int = setting(0, "seed of the generator", ge=0)


class Generated:
    """Generated sequences, read from their index."""

    def __init__(self, settings: GeneratedSettings, context: Context) -> None:
        columns = open_columns(index_path(settings, context))
        if columns is None:
            raise RunError("the generated data are not indexed", remedy="run `jointtask data index` first")
        self.ids = columns.texts["ids"]
        self.digests = columns.texts["digests"]
        self.fingerprint = columns.facts["fingerprint"]
        self.notes = ("generated",)
        self._part = "validation" if settings.seed else "train"

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Make the sequences of B examples."""
        called(self._part)
        values, labels = zip(*(_sequence(self.ids[row]) for row in index), strict=True)
        return {"values": torch.stack(values), "label": torch.stack(labels)}

    def example(self, index: int) -> Any:
        """Make one example."""
        return Example(self.ids[index], *_sequence(self.ids[index]))


def index_path(settings: GeneratedSettings, context: Context) -> Path:
    return context.cache / "generated" / f"{settings.seed}-{settings.examples}.json"


def index(settings: GeneratedSettings, context: Context) -> int:
    """Write the names and the digests, if they are not there yet."""
    path = index_path(settings, context)
    if open_columns(path) is None:

        def ids() -> Iterator[str]:
            for row in range(settings.examples):
                if row % 1000 == 0:
                    called("index")
                yield f"{settings.seed}-{row:012d}"

        def digests() -> Iterator[str]:
            return (hashlib.blake2b(name.encode(), digest_size=20).hexdigest() for name in ids())

        facts: dict[str, Any] = {"fingerprint": f"{settings.seed}-{settings.examples}"}
        write_columns(path, {"ids": ids(), "digests": digests()}, {}, facts, distinct=["ids"])
    return settings.examples


@hookimpl
def jointtask_datasets() -> list[DatasetComponent]:
    summary = "generated sequences of any number"
    return [DatasetComponent("generated", GeneratedSettings, Generated, summary, index=index)]
