from __future__ import annotations

from typing import Any

import attrs
import pytest
from demo_run import changed, demo_record, scored

from jointtask.api.record import Energy, OracleRecord, RunRecord
from jointtask.report import warnings


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return demo_record()


def test_a_sound_run_has_no_warnings(record: RunRecord) -> None:
    assert warnings(record) == []


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"estimate": Energy(600.0, 500.0)}, "upstream.optimizer.rate"),
        ({"acceptance": 0.01}, "sampler.moves"),
        ({"gain": -1.0, "oracle": None}, "sampler.estimate = 'best'"),
        ({"moved": 0.0}, "downstream.weight"),
        ({"oracle": OracleRecord(8, 60.0, 0.2)}, "sampler.name = 'exhaustive'"),
        ({"adjustment": [{"-5": 50, "0": 10, "5": 40}]}, "bridge.levels"),
    ],
)
def test_each_warning_names_a_setting(record: RunRecord, changes: dict[str, Any], setting: str) -> None:
    found = warnings(changed(record, **changes))
    assert len(found) == 1
    assert setting in found[0]


def test_only_a_sampler_that_has_moves_is_told_to_raise_them(record: RunRecord) -> None:
    config = {**record.config, "sampler": {"name": "gibbs", "sweeps": 3, "estimate": "weighted"}}
    for changes in ({"acceptance": 0.01}, {"moved": 0.0}, {"effective": 0.5}, {"oracle": OracleRecord(8, 60.0, 0.2)}):
        (found,) = warnings(attrs.evolve(changed(record, **changes), config=config))
        assert "sampler.moves" not in found


RING = {"-120": 30, "0": 10, "120": 40}


def test_the_outer_levels_of_a_ring_are_an_edge_only_if_a_gap_is_left(record: RunRecord) -> None:
    around = attrs.evolve(changed(record, adjustment=[RING]), period=[360.0])
    assert warnings(around) == []
    with_gap = attrs.evolve(changed(record, adjustment=[{"-20": 30, "0": 10, "20": 40}]), period=[360.0])
    assert "bridge.levels" in warnings(with_gap)[0]


def test_few_effective_draws_matter_for_the_weighted_estimate(record: RunRecord) -> None:
    weighted = {"sampler": {"name": "metropolis-hastings", "estimate": "weighted"}, "em": {"draws": 8}}
    config = {**record.config, **weighted}
    found = warnings(attrs.evolve(record, config=config))
    assert len(found) == 1
    assert "em.draws" in found[0]


def test_a_run_that_a_predictor_beats_is_warned_of(record: RunRecord) -> None:
    found = warnings(attrs.evolve(record, scores=[scored("this run", 0.4), scored("otsu", 0.6)]))
    assert len(found) == 1
    assert "otsu" in found[0]
    assert "em.rounds" in found[0]


def test_the_sampler_none_is_not_blamed_for_moving_nothing(record: RunRecord) -> None:
    config = {**record.config, "sampler": {"name": "none"}}
    assert warnings(attrs.evolve(changed(record, moved=0.0, gain=0.0), config=config)) == []


def test_warnings_of_the_record_come_first_and_once(record: RunRecord) -> None:
    assert warnings(attrs.evolve(record, warnings=["look", "look"])) == ["look"]
