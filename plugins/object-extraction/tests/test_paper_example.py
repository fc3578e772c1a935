from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from jointtask.api import Context
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load, load_data
from jointtask.running.check_data import check_data

ROOT = Path(__file__).resolve().parents[3]


def test_the_papers_run_file_says_what_the_paper_says() -> None:
    run = load(ROOT / "examples" / "paper" / "object_extraction.toml", [], load_registry())
    assert run.upstream.settings.network == run.downstream.settings.network == "paper"
    assert run.upstream.optimizer.rates == {"convolutional": 1e-10, "connected": 1e-8}
    assert run.downstream.optimizer.rate == 1e-6
    assert run.upstream.weight == run.downstream.weight == 1.0
    assert list(run.bridge.settings.levels) == [-10, -5, 0, 5, 10]
    assert (run.bridge.settings.center, run.bridge.settings.likelihood) == ("target", "reference")
    assert (run.bridge.settings.flip, run.bridge.settings.jitter, run.bridge.settings.colour) == (False, 0, 0)
    assert (run.sampler.name, run.sampler.settings.moves, run.sampler.estimate) == ("metropolis-hastings", 20, "best")
    assert [table.name for table in run.proposal] == ["gaussian", "superpixel-boundary"]
    assert run.proposal[1].settings.points == 200
    assert (run.em.warmup_epochs, run.em.rounds, run.em.epochs_per_round, run.em.batch_size) == (10, 10, 3, 100)


def test_table_4_trains_without_a_source_and_tests_on_it(tmp_path: Path, jointtask_context: Context) -> None:
    oe = tmp_path / "OE"
    random = np.random.default_rng(0)
    for folder in ("image", "groundtruth"):
        (oe / folder).mkdir(parents=True)
    for number in range(1, 9):
        Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(oe / "image" / f"{number:05d}.jpg")
        Image.fromarray(np.eye(20, 30, dtype=np.uint8) * 255).save(oe / "groundtruth" / f"{number:05d}.png")
    for name, numbers in {"train": range(1, 7), "OD": (2, 5, 8)}.items():
        (oe / f"{name}.list").write_text("".join(f"{number:05d}\n" for number in numbers))
    registry = load_registry()
    lists = {"train.ids": "train", "train.without": "OD", "test.ids": "OD"}
    overrides = [f"data.{key}={oe / name}.list" for key, name in lists.items()]
    roots = [f"data.{table}.root={tmp_path}" for table in ("train", "test")]
    file = ROOT / "examples" / "paper" / "table4.toml"
    report = check_data(load_data(file, [*overrides, *roots], registry), registry, jointtask_context.progress)
    assert [(table.table, table.examples, table.error) for table in report.tables] == [
        ("train", 4, ""),
        ("test", 3, ""),
    ]
    assert report.overlaps == []
    assert load(file, [], registry).data.train.settings.without.endswith("shared/data/OE/OD.list")
