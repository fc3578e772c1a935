"""The sampler holds what jointtask asks of every sampler, draws from the posterior, and runs by name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from jointtask_multiple_try import sample

from jointtask.api import LatentGrid, Streams
from jointtask.testing import TabulatedTarget, check_plugin, check_sampler

FILE = Path(__file__).parents[1] / "jointtask_multiple_try.py"


@pytest.mark.parametrize("tries", [1, 5])
def test_it_draws_from_the_posterior(tries: int) -> None:
    check_sampler(partial(sample, moves=100, tries=tries))


def test_all_states_are_asked_for_at_once() -> None:
    class Counting(TabulatedTarget):
        requests = 0

        def energy(self, index: torch.Tensor) -> torch.Tensor:
            self.requests += 1
            return super().energy(index)

    target = Counting(LatentGrid.product([[-1, 0, 1]]), torch.zeros(2, 3, dtype=torch.float64))
    sample(target, Streams(0, 1, ["a", "b"], "test"), moves=7, tries=3)
    assert target.requests == 1


def test_the_plugin_is_accepted() -> None:
    assert check_plugin(str(FILE)) == ("sampler multiple-try",)


def test_it_runs(jointtask_run: Any) -> None:
    small = ("em.rounds=1", "em.warmup_epochs=1", "data.train.examples=32")
    record = jointtask_run(FILE.with_name("trial.toml"), *small, plugins=(str(FILE),))
    assert record.finished
