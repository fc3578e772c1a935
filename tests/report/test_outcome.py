"""What came of a run: the sentence on top, differences on the same examples, ways to use what was trained."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs
import numpy as np
import pytest

from jointtask.api.record import OWN, RoundRecord, RunRecord, SamplerRecord, ScoreRecord
from jointtask.report import render
from jointtask.report.figures import Line, chart
from jointtask.report.outcome import against_predictors, outcome, since_start
from jointtask.report.use import uses

DEFINITIONS = {
    "J": {"definition": "intersection over union", "better": "higher", "percent": True},
    "MAE": {"definition": "mean absolute error", "better": "lower", "percent": False},
}
SAMPLER = SamplerRecord(acceptance=0.3, visited=4, evaluated=9, gain=2, moved=0.04, effective=3, oracle=None)
TIMING = [{"round": 1, "phase": "E-step", "seconds": 58.0}, {"round": 1, "phase": "M-step", "seconds": 42.0}]


def scored(
    values: Mapping[str, float], *, predictor: str = OWN, data: str = "validation", name: str = "J"
) -> ScoreRecord:
    mean = float(np.mean(list(values.values())))
    return ScoreRecord(predictor, data, len(values), {name: mean}, {name: dict(values)})


def spread(level: float, noise: float = 0.1, examples: int = 60) -> dict[str, float]:
    random = np.random.default_rng(0)
    return {f"example-{k}": level + noise * float(value) for k, value in enumerate(random.normal(size=examples))}


def run(start: Mapping[str, float], latest: Mapping[str, float], name: str = "J") -> RunRecord:
    validated = {"start": scored(start, name=name), "latest": scored(latest, name=name)}
    rounds = [RoundRecord(0), RoundRecord(1, sampler=SAMPLER)]
    record = RunRecord("a", "/runs/my run", {}, {}, {}, {}, rounds=rounds, timing=TIMING, validated=validated)
    return attrs.evolve(record, definitions={name: DEFINITIONS[name]}, finished=True)


def test_a_gain_that_two_intervals_would_hide_is_told_by_the_pairs() -> None:
    record = run(spread(0.80), spread(0.8062))
    first, second = outcome(record)
    assert re.fullmatch(
        r"After 1 round of joint training, J is better than what the warm-up left \(round 0\) by 0\.62 points "
        r"\(\+0\.62 to \+0\.62, paired over 60 validation examples\)\.",
        first,
    )
    assert second == (
        "Sampling the adjustment took 58.0\N{NO-BREAK SPACE}% of the training time and moved 4.0\N{NO-BREAK SPACE}% of"
        " the training examples in the last round."
    )


@pytest.mark.parametrize(
    ("name", "change", "word"),
    [("J", 0.05, "better"), ("J", -0.05, "worse"), ("MAE", 0.05, "worse"), ("MAE", -0.05, "better")],
)
def test_better_and_worse_follow_the_score(name: str, change: float, word: str) -> None:
    record = run(spread(0.5), spread(0.5 + change), name)
    assert f"is {word} than what the warm-up left" in outcome(record)[0]
    assert (" points" in outcome(record)[0]) == (name == "J")


def test_a_difference_within_noise_is_called_so() -> None:
    random = np.random.default_rng(1)
    latest = {name: value + 0.05 * float(random.normal()) for name, value in spread(0.5).items()}
    latest = {name: value - np.mean(list(latest.values())) + 0.5 for name, value in latest.items()}
    (first, _) = outcome(run(spread(0.5), latest))
    assert "J is within noise of what the warm-up left (round 0): " in first


def test_what_was_not_measured_is_not_told() -> None:
    record = run(spread(0.5), spread(0.6))
    assert since_start(attrs.evolve(record, validated={})) is None
    assert outcome(attrs.evolve(record, validated={}, rounds=[])) == []
    nan = {name: float("nan") for name in spread(0.5)}
    assert since_start(run(nan, nan)) is None
    assert "took" not in outcome(attrs.evolve(record, timing=[]))[-1]


def test_each_predictor_is_held_against_the_run_on_the_same_examples() -> None:
    own, other = spread(0.8), spread(0.6)
    del other["example-0"]
    scores = [scored(own, data="test"), scored(other, predictor="constant", data="test")]
    (difference,) = against_predictors(attrs.evolve(run(own, own), scores=scores))
    assert (difference.name, difference.examples, difference.verdict) == ("constant", 59, "better")
    assert difference.mean == pytest.approx(0.2)
    page = render(attrs.evolve(run(own, own), scores=scores))
    assert "this run minus each predictor" in page
    assert "+20.00 to +20.00" in page


def test_commands_can_be_copied() -> None:
    first, *others = uses("/runs/my run", [("cut objects out", "jointtask extract PHOTOS --model RUN")])
    assert (first.does, first.lines) == ("Cut objects out", "jointtask extract PHOTOS --model '/runs/my run'")
    assert [use.lines.split()[1] for use in others] == ["evaluate", "run"]
    assert "jointtask evaluate &#39;/runs/my run&#39;" in render(run(spread(0.5), spread(0.5)))
    assert "How to use this model" not in render(attrs.evolve(run(spread(0.5), spread(0.5)), finished=False))


@pytest.mark.parametrize("level", [89.13, 0.00012345, 123456.7, -4321.125, 1e9])
def test_labels_of_the_axes_fit_the_figure(level: float) -> None:
    """A digit of 9 pixels is 5.73 pixels wide in DejaVu Sans, the widest of the usual fonts."""
    figure = chart([0, 1, 2], [Line("a", [level, 1.001 * level, 1.002 * level])], "a", small=True)
    assert figure is not None
    labels = re.findall(r'text-anchor: end[^>]* x="([\d.]+)"[^>]*>([^<]+)<', figure)
    assert labels
    for place, label in labels:
        assert float(place) >= 5.73 * len(label), label
