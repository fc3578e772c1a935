"""Examples whose ids are not text are examples like others, from the first epoch to the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRIAL = "jointtask.testing.trial"
RUN_FILE = """
run = { name = "odd" }
data = { train = { name = "odd-names", examples = 8 }, test = { name = "odd-names", examples = 4, seed = 1 } }
upstream = { name = "trial-find" }
downstream = { name = "trial-mark" }
bridge = { name = "trial-interval", levels = [-2, 0, 2] }
sampler = { name = "metropolis-hastings" }
proposal = [{ name = "gaussian" }]
em = { rounds = 1, warmup_epochs = 1 }
evaluate = { metrics = ["trial-accuracy"] }
"""
PLUGIN = """
from attrs import evolve
from jointtask.api import MemoryDataset
from jointtask.testing.trial import Sequences, SequencesSettings

def build(settings, context):
    data = Sequences(settings)
    ids = [f"{name}-caf\\udce9-\\x1b[31m" for name in data.ids]
    examples = [evolve(data.example(row), id=name) for row, name in enumerate(ids)]
    return MemoryDataset(ids, data.batch(range(len(data))), examples, annotation=["label"])

@hookimpl
def jointtask_datasets():
    return [Component("odd-names", SequencesSettings, build, "odd")]
"""


def test_ids_that_are_not_text_run_and_are_stored_as_they_are(
    tmp_path: Path, jointtask_run: Callable[..., Any], plugin_file: Callable[..., str]
) -> None:
    file = tmp_path / "run.toml"
    file.write_text(RUN_FILE)
    record = jointtask_run(file, plugins=(plugin_file(PLUGIN), TRIAL))
    assert record.finished
    stored = json.loads((Path(record.directory) / "report.json").read_text(encoding="utf-8"))
    ids = list(stored["scores"][0]["per_example"]["trial-accuracy"])
    assert len(ids) == 4
    assert all(name.endswith("-caf\udce9-\x1b[31m") for name in ids)
    (Path(record.directory) / "report.html").read_text(encoding="utf-8")
