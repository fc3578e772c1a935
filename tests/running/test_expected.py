"""What `jointtask check` says of a run's time and of its number of steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy import run_file as toy_file

from jointtask.registry.registry import Registry, load_registry
from jointtask.runfile.load import load
from jointtask.running.check import check
from jointtask.tools.progress import SilentProgress

TOY = Path(__file__).parents[1] / "toy.py"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry([str(TOY)])


def checked(tmp_path: Path, registry: Registry, *overrides: str, **tables: Any) -> str:
    file = tmp_path / "run.toml"
    file.write_text(toy_file(str(tmp_path / "runs"), **tables))
    return "\n".join(check(load(file, overrides, registry), registry, SilentProgress()))


@pytest.mark.parametrize(
    ("overrides", "warned"),
    [
        (("em.warmup_epochs=98", "em.batch_size=1000"), False),
        (("em.warmup_epochs=97", "em.batch_size=1000"), True),
        (("em.warmup_epochs=0", "em.rounds=1", "em.batch_size=1"), True),
        (("em.warmup_epochs=0", "em.rounds=3", "em.batch_size=1"), False),
        (("em.warmup_epochs=0", "em.rounds=1", "em.epochs_per_round=3", "em.batch_size=1"), False),
    ],
)
def test_too_few_steps_are_warned_of(
    tmp_path: Path, registry: Registry, overrides: tuple[str, ...], warned: bool
) -> None:
    assert ("optimiser steps" in checked(tmp_path, registry, *overrides)) is warned


def test_the_time_of_the_enumeration_is_told_and_there_is_none_without_a_sampler(
    tmp_path: Path, registry: Registry
) -> None:
    assert "exhaustive enumeration of 4 examples" in checked(tmp_path, registry)
    assert "exhaustive enumeration" not in checked(tmp_path, registry, "sampler.name=none")
    assert "exhaustive enumeration" not in checked(tmp_path, registry, "em.oracle_examples=0")


def test_the_time_of_scoring_is_told(tmp_path: Path, registry: Registry) -> None:
    assert "with scoring, about" in checked(tmp_path, registry)
