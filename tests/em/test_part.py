"""Rounds over a part of the training data: what they cover, and that a stopped run agrees to the bit."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from attrs import evolve
from safetensors.torch import load_file
from toy import run_file

from jointtask.api.record import Energy, RunRecord
from jointtask.em.part import Parts
from jointtask.registry.registry import Registry, load_registry
from jointtask.report import warnings
from jointtask.runfile.load import load
from jointtask.running.assemble import assemble
from jointtask.running.autosave import StoppedError
from jointtask.running.run import new_state, run
from jointtask.tools.progress import SilentProgress

HERE = Path(__file__).parents[1]
NAMES = ("model.safetensors", "latents.safetensors", "history.jsonl")
CASES = [(1.0, 48), (0.5, 48), (0.25, 48), (0.3, 47), (0.11, 100), (1e-9, 5), (0.5, 1), (0.999, 10)]


@pytest.mark.parametrize(("share", "total"), CASES)
def test_a_pass_covers_every_example_once_in_parts_of_at_most_that_share(share: float, total: int) -> None:
    parts = Parts(share, total, seed=3)
    for first in (1, 1 + parts.count, 1 + 5 * parts.count):
        found = [parts.of_round(first + number) for number in range(parts.count)]
        assert torch.equal(torch.cat([part.positions for part in found]).sort().values, torch.arange(total))
        assert max(map(len, found)) <= max(1, round(share * total))
        assert max(map(len, found)) - min(map(len, found)) <= 1
        assert all(part.whole == (len(part) == total) for part in found)
        assert all(bool((part.positions.diff() > 0).all()) for part in found)


@pytest.mark.parametrize(("share", "total"), CASES)
def test_sums_over_rounds_are_those_of_the_rounds(share: float, total: int) -> None:
    parts = Parts(share, total)
    for rounds in (1, 2, 3, 7, 40):
        sizes = [len(parts.of_round(number)) for number in range(1, rounds + 1)]
        assert parts.examples(rounds) == sum(sizes)
        assert parts.steps(rounds, 4) == sum(-(-size // 4) for size in sizes)


def test_parts_depend_on_the_seed_come_in_turn_and_the_warm_up_is_about_all() -> None:
    def positions(seed: int, round: int) -> list[int]:
        return Parts(0.25, 100, seed).of_round(round).positions.tolist()

    assert positions(0, 1) == positions(0, 1) == positions(0, 5) == positions(0, 401)
    assert positions(0, 1) != positions(1, 1)
    assert positions(0, 1) != positions(0, 2)
    assert positions(0, 0) == list(range(100))


@pytest.mark.parametrize(("share", "starts"), [(0.25, [0, 5, 6, 30]), (0.5, [0, 10, 20, 30, 39]), (1.0, [0, 3])])
def test_parts_of_shards_are_whole_shards(share: float, starts: list[int]) -> None:
    parts = Parts(share, 40, 2, starts)
    found = [set(parts.of_round(round).positions.tolist()) for round in range(1, parts.count + 1)]
    assert sorted(row for rows in found for row in rows) == list(range(40))
    for start, stop in pairwise([*starts, 40]):
        assert sum(bool(rows & set(range(start, stop))) for rows in found) == 1
    assert [parts.examples(round) - parts.examples(round - 1) for round in range(1, 9)] == [
        len(parts.of_round(round)) for round in range(1, 9)
    ]


def test_rows_are_those_of_the_positions() -> None:
    part = Parts(0.3, 50, 1).of_round(2)
    some = part.positions[torch.tensor([4, 0, 9])]
    assert part.rows(some).tolist() == [4, 0, 9]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry([str(HERE / "toy.py"), str(HERE / "stopping.py")])


@pytest.fixture
def stopping(registry: Registry) -> Iterator[ModuleType]:
    module: Any = registry.plugins.manager.get_plugin("stopping")
    yield module
    module.CALLS.clear()


@pytest.fixture
def start(tmp_path: Path, registry: Registry) -> Callable[..., RunRecord]:
    tables = {
        "upstream": 'name = "stopping-locate"\noptimizer = { rate = 0.003, schedule = "cosine" }',
        "downstream": 'name = "stopping-label"\noptimizer = { name = "sgd", rate = 0.01 }',
        "em": "part = 0.3\nwarmup_epochs = 1\nrounds = 4\nepochs_per_round = 2\nbatch_size = 10\nestep_batch = 5\n"
        "oracle_examples = 3",
    }

    def start(*overrides: str, name: str = "toy") -> RunRecord:
        (tmp_path / "run.toml").write_text(run_file(str(tmp_path), **tables))
        runfile = load(tmp_path / "run.toml", [f"run.name={name}", *overrides], registry)
        return run(runfile, registry, fresh=False, progress=SilentProgress())

    return start


def count(tmp_path: Path, name: str = "toy") -> list[int]:
    return load_file(tmp_path / name / "latents.safetensors")["count"].tolist()


def test_a_round_samples_and_records_its_part_alone(start: Callable[..., RunRecord], tmp_path: Path) -> None:
    record = start("em.rounds=1")
    part = Parts(0.3, 48).of_round(1).positions
    assert [row for row, times in enumerate(count(tmp_path)) if times] == part.tolist()
    assert len(part) == 12
    first = record.rounds[1]
    assert sum(first.adjustment[0].values()) == 12
    assert first.sampler is not None
    assert first.sampler.oracle is not None
    assert first.sampler.oracle.examples == 3  # of the part's, so that every round has some
    start("em.rounds=6")
    assert sorted(set(count(tmp_path))) == [1, 2]
    assert sum(count(tmp_path)) == 6 * 12


def test_the_objective_of_a_round_is_compared_with_that_of_the_same_examples(start: Callable[..., RunRecord]) -> None:
    record = start("em.rounds=5")
    entries = [
        evolve(entry, estimate=entry.estimate and Energy(0, value))
        for entry, value in zip(record.rounds, [0, 10, 20, 30, 40, 11], strict=True)
    ]
    assert [line for line in warnings(evolve(record, rounds=entries)) if "rose by 10.0" in line and "round 5." in line]
    entries[5] = evolve(entries[5], estimate=Energy(0, 10))
    assert not [line for line in warnings(evolve(record, rounds=entries)) if "rose" in line]


@pytest.mark.parametrize(
    ("part", "calls"), [("upstream", 7), ("upstream", 12), ("upstream", 30), ("downstream", 15), ("downstream", 40)]
)
def test_a_stopped_run_ends_the_same(
    part: str, calls: int, start: Callable[..., RunRecord], tmp_path: Path, stopping: ModuleType
) -> None:
    start(name="whole")
    stopping.arm(part, calls, signal.SIGTERM)
    with pytest.raises(StoppedError):
        start()
    stopping.CALLS.clear()
    start()
    assert all((tmp_path / "toy" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes() for name in NAMES)


def test_the_schedule_ends_with_the_last_round(tmp_path: Path, registry: Registry) -> None:
    """5 steps of the warm-up, and 2 in each of 2 epochs of 4 rounds of 12 examples: 21 in all."""
    em = "part = 0.3\nwarmup_epochs = 1\nrounds = 4\nepochs_per_round = 2\nbatch_size = 10"
    upstream = 'name = "toy-locate"\noptimizer = { rate = 0.5, schedule = "cosine" }'
    (tmp_path / "run.toml").write_text(run_file(str(tmp_path), em=em, upstream=upstream))
    assembly = assemble(load(tmp_path / "run.toml", [], registry), registry, SilentProgress())
    optimizer = new_state(assembly).optimizers["upstream"]
    optimizer.steps = 20
    assert optimizer.rate > 0
    optimizer.steps = 21
    assert optimizer.rate == 0
