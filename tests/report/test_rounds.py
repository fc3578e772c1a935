from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from jointtask.api.record import Energy, RoundRecord, RunRecord, SamplerRecord
from jointtask.report.rounds import RoundLines

SAMPLER = SamplerRecord(acceptance=0.31, visited=3, evaluated=9, gain=140.0, moved=0.875, effective=4, oracle=None)
WARM_UP = RoundRecord(round=0, validation={"J": 0.5123, "MAE": 0.25})


def record(rounds: list[RoundRecord], timing: list[tuple[int, float]] = [], **em: Any) -> RunRecord:  # noqa: B006
    return RunRecord(
        name="run",
        directory="runs/run",
        config={"em": {"rounds": 5, **em}, "sampler": {"name": "metropolis-hastings", "moves": 20}},
        versions={},
        data={},
        parameters={},
        rounds=rounds,
        timing=[{"round": number, "phase": "E-step", "seconds": seconds} for number, seconds in timing],
        definitions={"J": {"percent": True}, "MAE": {}},
    )


def sampled(number: int, **sampler: Any) -> RoundRecord:
    return RoundRecord(
        round=number, start=Energy(400.0, 161.5), estimate=Energy(300.0, 121.5), sampler=evolve(SAMPLER, **sampler)
    )


def plain(lines: list[str]) -> list[str]:
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def test_a_round_says_objective_acceptance_scores_and_time_left() -> None:
    made = RoundLines()
    assert plain(made(record([WARM_UP], [(0, 100.0)]))) == ["warm-up: J 51.23 %, MAE 0.2500"]
    first = evolve(sampled(1), validation={"J": 0.6})
    assert plain(made(record([WARM_UP, first], [(0, 100.0), (1, 20.0), (1, 10.0)]))) == [
        "round 1 of 5: objective 561.5 to 421.5, acceptance 31.0 %, moved 87.5 %, J 60.00 %, "
        "about 2 min 0 s of training left"
    ]
    timing = [(0, 100.0), (1, 30.0), (2, 40.0)]
    (line,) = plain(made(record([WARM_UP, first, sampled(2)], timing)))
    assert line.endswith("about 1 min 45 s of training left"), "three rounds of 35 s"


@pytest.mark.parametrize(
    ("sampler", "advice"),
    [
        ({"acceptance": 0.01}, "Only 1.0 % of the moves of round 1 were accepted"),
        ({"moved": 0.0}, "No estimate of round 1 differs from no adjustment"),
        ({"gain": -1.0}, "higher energy than no adjustment"),
    ],
)
def test_advice_comes_with_the_round_and_once(sampler: dict[str, Any], advice: str) -> None:
    made = RoundLines()
    _, line = plain(made(record([WARM_UP, sampled(1, **sampler)])))
    assert line.startswith("advice: ")
    assert advice in line
    assert len(made(record([WARM_UP, sampled(1, **sampler), sampled(2, **sampler)]))) == 1
    assert len(made(record([WARM_UP, sampled(1), sampled(2), sampled(3, acceptance=0.001, moved=0.0, gain=-2.0)]))) == 3


def test_what_is_not_known_is_left_out() -> None:
    assert RoundLines()(record([RoundRecord(round=0)])) == []
    entry = sampled(5, acceptance=None)
    assert plain(RoundLines()(record([entry], [(5, 3.0)]))) == ["round 5 of 5: objective 561.5 to 421.5, moved 87.5 %"]
