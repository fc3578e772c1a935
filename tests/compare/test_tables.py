"""The tables and the page of a comparison, on a small known record."""

from __future__ import annotations

import json
import math
import re

import attrs
import pytest
from page import Page

from jointtask.compare.page import render
from jointtask.compare.record import ArmRecord, Comparison, Cost, Identical, SeedRecord, Statistic
from jointtask.compare.tables import latex, lines, markdown
from jointtask.tools.plain import to_plain


def seed(arm: str, number: int, values: dict[str, float], objective: float) -> SeedRecord:
    return SeedRecord(
        seed=number,
        directory=f"{arm}-seed-{number}",
        values=values,
        rounds=[0, 1, 2],
        objective=[math.nan, objective, objective - 1],
        validation={"J": [0.5, 0.6, 0.6 + 0.01 * number]},
        cost=Cost(70.0, 12000.0, 400),
        weights=f"{arm}{number}",
    )


@pytest.fixture
def record() -> Comparison:
    values = {"J": 0.75, "max_F": 0.9}
    return Comparison(
        name="demo",
        directory="/runs/demo-compare",
        reference="sim",
        data="test",
        examples=200,
        seeds=2,
        arms=[
            ArmRecord(
                "sim",
                {"sampler.name": "'none'"},
                (),
                [seed("sim", 0, values, 9.0), seed("sim", 1, values, 8.5)],
                {"J": Statistic(0.75, (0.70, 0.80)), "max_F": Statistic(0.9, (0.9, 0.9))},
                Cost(70.0, 400.0, 4000),
            ),
            ArmRecord(
                "a_b & c",
                {},
                ("proposal.0 ('gaussian'): the sampler 'none' does not use it",),
                [seed("a_b & c", 0, values, 7.0), seed("a_b & c", 1, values, 6.5)],
                {
                    "J": Statistic(0.7625, (0.75, 0.775), 0.0125, (-0.001, 0.026)),
                    "max_F": Statistic(0.89, (0.88, 0.9), -0.01),
                },
                Cost(3700.0, 1234567.0, 4000),
            ),
            ArmRecord(
                "worst",
                {"em.rounds": "1"},
                (),
                [
                    seed("worst", 0, values, 9.5),
                    SeedRecord(1, "worst-seed-1", failure="the loss is not finite\n  remedy: lower it"),
                ],
                {"J": Statistic(0.5, None, -0.25, (-0.3, -0.2)), "max_F": Statistic(math.nan)},
                Cost(60.0, 100.0, 2000),
            ),
            ArmRecord("gone", {}, (), [SeedRecord(k, f"gone-seed-{k}", failure="no <memory>") for k in (0, 1)]),
        ],
        identical=[Identical(("sim", "worst"), [0], True)],
        notes=["The runs differ in threads (1, 2): times do not compare."],
        definitions={
            "J": {"definition": "overlap", "better": "higher", "percent": True},
            "max_F": {"definition": "largest F", "better": "higher", "percent": False},
        },
        resamples=2000,
    )


REMARKS = [
    "failed: worst, seed 1: the loss is not finite\n  remedy: lower it",
    "failed: gone, seeds 0, 1: no <memory>",
    "bit-identical: sim and worst have the same weights and scores, for seed 0: what they vary changed nothing.",
    "not read by a_b & c: proposal.0 ('gaussian'): the sampler 'none' does not use it",
    "The runs differ in threads (1, 2): times do not compare.",
]


def test_lines(record: Comparison) -> None:
    shown = lines(record)
    assert shown[:15] == [
        "test, 200 examples, 2 seeds",
        "score    arm      mean    95 % over seeds   difference  95 % paired",
        "J, % ↑   sim      75.00   70.00 to 80.00                                  reference",
        "         a_b & c  76.25   75.00 to 77.50    +1.25       -0.10 to +2.60    within noise",
        "         worst    50.00   n/a               -25.00      -30.00 to -20.00  worse",
        "         gone     –                                                       failed: no <memory>",  # noqa: RUF001
        "max_F ↑  sim      0.9000  0.9000 to 0.9000                                reference",
        "         a_b & c  0.8900  0.8800 to 0.9000  -0.0100     n/a",
        "         worst    –       n/a",  # noqa: RUF001
        "         gone     –                                                       failed: no <memory>",  # noqa: RUF001
        "",
        "arm      runs    training time  downstream evaluations  examples trained on",
        "sim      2       1 min 10 s     400                     4,000",
        "a_b & c  2       1 h 1 min      1,234,567               4,000",
        "worst    1 of 2  1 min 0 s      100                     2,000",
    ]
    assert shown[15:17] == ["gone     0 of 2  –              –                       –", ""]  # noqa: RUF001
    assert shown[-5:] == REMARKS
    method = " ".join(shown[17:-5])
    assert method.startswith("Means are over 2 seeds, with their 95 % interval by Student's t.")
    assert "paired percentile bootstrap over 2,000 resamples of examples, and of seeds independently" in method
    assert "Efron and Tibshirani 1993" in method
    assert "Few seeds make that interval too narrow." in method


def test_markdown(record: Comparison) -> None:
    text = markdown(attrs.evolve(record, arms=record.arms[:2], identical=[], notes=["a | b"]))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert table == [
        "| score | arm | mean | 95 % over seeds | difference | 95 % paired |  |",
        "|---|---|---|---|---|---|---|",
        "| J, % ↑ | sim | 75.00 | 70.00 to 80.00 |  |  | reference |",
        "|  | a_b & c | 76.25 | 75.00 to 77.50 | +1.25 | -0.10 to +2.60 | within noise |",
        "| max_F ↑ | sim | 0.9000 | 0.9000 to 0.9000 |  |  | reference |",
        "|  | a_b & c | 0.8900 | 0.8800 to 0.9000 | -0.0100 | n/a |  |",
        "| arm | runs | training time | downstream evaluations | examples trained on |",
        "|---|---|---|---|---|",
        "| sim | 2 | 1 min 10 s | 400 | 4,000 |",
        "| a_b & c | 2 | 1 h 1 min | 1,234,567 | 4,000 |",
    ]
    assert text.startswith("# demo: test, 200 examples, 2 seeds\n\n")
    assert text.endswith(f"- {REMARKS[3]}\n- a | b\n")


def test_latex(record: Comparison) -> None:
    text = latex(attrs.evolve(record, arms=record.arms[:2], identical=[], notes=[]))
    head, _, body = text.partition("\\begin{tabular}{llrlrll}\n")
    assert all(line.startswith("% ") for line in head.splitlines())
    scores, _, costs = body.partition("\\end{tabular}\n")
    assert scores.splitlines() == [
        r"\toprule",
        r"score & arm & mean & 95 \% over seeds & difference & 95 \% paired &  \\",
        r"\midrule",
        r"J, \% $\uparrow$ & sim & 75.00 & 70.00 to 80.00 &  &  & reference \\",
        r" & a\_b \& c & 76.25 & 75.00 to 77.50 & +1.25 & $-$0.10 to +2.60 & within noise \\",
        r"\addlinespace",
        r"max\_F $\uparrow$ & sim & 0.9000 & 0.9000 to 0.9000 &  &  & reference \\",
        r" & a\_b \& c & 0.8900 & 0.8800 to 0.9000 & $-$0.0100 & n/a &  \\",
        r"\bottomrule",
    ]
    assert r"a\_b \& c & 2 & 1 h 1 min & 1,234,567 & 4,000 \\" in costs
    assert text.count(r"\bottomrule") == 2


def test_the_verdict_follows_the_direction(record: Comparison) -> None:
    lower = {"J": {"better": "lower", "percent": False}}
    assert any(line.endswith("better") for line in lines(attrs.evolve(record, definitions=lower)))
    assert any(line.endswith("differs") for line in lines(attrs.evolve(record, definitions={})))


def test_one_seed_is_said(record: Comparison) -> None:
    arms = [attrs.evolve(arm, runs=arm.runs[:1]) for arm in record.arms]
    text = markdown(attrs.evolve(record, seeds=1, arms=arms))
    assert "Each arm was run with one seed" in text
    assert "resamples of examples (Efron" in text


def test_the_record_is_strict_json(record: Comparison) -> None:
    text = json.dumps(to_plain(record), allow_nan=False)
    assert json.loads(text)["arms"][0]["runs"][0]["objective"] == [None, 9.0, 8.0]


def test_the_page_is_well_formed_and_fetches_nothing(record: Comparison) -> None:
    page = Page(render(record).decode())
    assert page.open == []
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.tags.count("svg") == 4
    assert page.links == [
        "sim-seed-0/report.html",
        "sim-seed-1/report.html",
        "a_b%20%26%20c-seed-0/report.html",
        "a_b%20%26%20c-seed-1/report.html",
        "worst-seed-0/report.html",
    ]
    for shown in ("76.25", "+1.25", "-0.10 to +2.60", "within noise", "no <memory>", "3 failed", *REMARKS[1:]):
        assert shown in page.words
    assert render(record) == render(record)


def test_the_page_of_nothing(record: Comparison) -> None:
    arms = [record.arms[3]]
    bare = attrs.evolve(record, arms=arms, identical=[], notes=[], definitions={}, data="", examples=0)
    page = Page(render(bare).decode())
    assert "Nothing was scored." in page.words
    assert "No round was finished." in page.words
    assert "svg" not in page.tags
    assert lines(bare)[0] == "nothing was scored, 2 seeds"


def test_a_lone_surrogate_does_not_stop_the_page(record: Comparison) -> None:
    assert b"caf?" in render(attrs.evolve(record, notes=["caf\udce9"]))


def test_twelve_arms_can_be_told_apart(record: Comparison) -> None:
    arms = [attrs.evolve(record.arms[0], name=f"arm {k}") for k in range(12)]
    html = render(attrs.evolve(record, arms=arms, reference="arm 0")).decode()
    keys = re.findall(r'<span class="(key[^"]*)" style="([^"]*)">', html)
    assert len(keys) == len(set(keys)) == 12
