from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from jointtask.api.panel import Panel
from jointtask.api.record import Energy, OracleRecord, RoundRecord, RunRecord, SamplerRecord, ScoreRecord
from jointtask.report import read_report, render, warnings, write_report
from jointtask.report.scores import interval, score_tables
from jointtask.report.view import adjustments
from jointtask.tools import text
from jointtask.tools.plain import to_plain

# The smallest PNG there is: one white pixel.
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg==")
LEVELS = ("-10", "-5", "0", "5", "10")
DEFINITIONS = {
    name: {"definition": definition, "better": better, "percent": percent}
    for name, definition, better, percent in (
        ("J", "Intersection over union, averaged over examples, in [0, 1].", "higher", True),
        ("P", "Share of pixels that are right, averaged over examples, in [0, 1].", "higher", True),
        ("MAE", "Mean absolute error, averaged over examples, in [0, 1].", "lower", False),
        ("max F", "Largest F of the curve averaged over examples, in [0, 1].", "higher", False),
    )
}


def scored(predictor: str, level: float, examples: int = 40, data: str = "test") -> ScoreRecord:
    random = np.random.default_rng(round(1000 * level))
    quality = np.clip(random.normal(level, 0.1, examples), 0, 1)
    per_metric = {"J": quality, "P": 0.5 + quality / 2, "MAE": 0.4 * (1 - quality)}
    values = {name: float(metric.mean()) for name, metric in per_metric.items()}
    return ScoreRecord(
        predictor=predictor,
        data=data,
        examples=examples,
        values=values | {"max F": level + 0.05},
        per_example={
            name: {f"example-{k}": float(value) for k, value in enumerate(metric)}
            for name, metric in per_metric.items()
        },
    )


def round_record(number: int) -> RoundRecord:
    decay = math.exp(-number / 3)
    counts = np.random.default_rng(number).multinomial(512, [0.1, 0.2, 0.4, 0.2, 0.1], size=4)
    return RoundRecord(
        round=number,
        start=Energy(upstream=180 * decay + 40, downstream=700 * decay + 420),
        estimate=Energy(upstream=195 * decay + 42, downstream=610 * decay + 355),
        sampler=SamplerRecord(
            acceptance=0.35 - 0.02 * number,
            visited=6.1 + 0.2 * number,
            evaluated=17.3,
            gain=75 * decay + 63,
            moved=0.93,
            effective=5.2,
            oracle=OracleRecord(examples=8, regret=3.1 + decay, mass=0.83),
        ),
        adjustment=[{level: int(c) for level, c in zip(LEVELS, row, strict=True)} for row in counts],
        training={"upstream": 190 * decay + 50, "downstream": 640 * decay + 380},
        validation=validated(decay),
    )


def validated(decay: float) -> dict[str, float]:
    return {"J": 0.8 - 0.3 * decay, "P": 0.93 - 0.1 * decay, "MAE": 0.08 + 0.1 * decay, "max F": 0.88 - 0.2 * decay}


def demo_record() -> RunRecord:
    """Return a record such as a run of five rounds leaves."""
    return RunRecord(
        name="object-extraction",
        directory="/home/ada/runs/object-extraction",
        config={
            "run": {"name": "object-extraction", "seed": 0, "device": "cpu"},
            "data": {"train": {"name": "folder", "images": "/data/images", "limit": None}},
            "upstream": {"name": "localization", "weight": 1.0, "optimizer": {"name": "adamw", "rates": {}}},
            "downstream": {"name": "segmentation", "weight": 1.0},
            "bridge": {"name": "box-adjustment", "levels": (-10.0, -5.0, 0.0, 5.0, 10.0)},
            "sampler": {"name": "metropolis-hastings", "moves": 20, "estimate": "best"},
            "proposal": [{"name": "gaussian"}],
            "em": {"rounds": 5, "draws": 1},
        },
        versions={"python": "3.11.2", "torch": "2.13.0", "jointtask": "0.1.0", "device": "cpu", "threads": "2"},
        data={
            "train": {"examples": 512, "fingerprint": "d41d8cd98f00b204", "notes": ["masks hold 0 and 255"]},
            "validation": {"examples": 64, "fingerprint": "9e107d9d372bb682", "notes": []},
            "test": {"examples": 40, "fingerprint": "e4d909c290d0fb1c", "notes": []},
        },
        parameters={"upstream": 1_234_567, "downstream": 2_345_678},
        rounds=[
            RoundRecord(round=0, training={"upstream": 260.0, "downstream": 1100.0}, validation=validated(1.2)),
            *(round_record(number) for number in range(1, 6)),
        ],
        timing=[
            {"round": number, "phase": phase, "seconds": seconds}
            for number in range(6)
            for phase, seconds in (("data", 0.6), ("E-step", 4.25), ("M-step", 6.5), ("evaluate", 0.9))
        ],
        scores=[scored("this run", 0.82), scored("otsu", 0.41), scored("colour-contrast", 0.47)],
        definitions=DEFINITIONS,
        finished=True,
    )


class Page(HTMLParser):
    """What a browser would see of the page, and what it would fetch."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.text: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self._look_at(tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._look_at(tag, dict(attrs))

    def _look_at(self, tag: str, attrs: dict[str, str | None]) -> None:
        if tag in {"img", "svg"}:
            self.images.append(attrs)
        self.ids += [value for name, value in attrs.items() if name == "id" and value]
        self.references += [
            value for name, value in attrs.items() if name in {"href", "src", "xlink:href", "srcset"} and value
        ]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return demo_record()


@pytest.fixture(scope="module")
def html(record: RunRecord) -> str:
    return render(
        record, [Panel("Six examples", "What was found.", PIXEL)], coordinates=("left", "top"), units="pixels"
    )


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_page_is_well_formed_and_fetches_nothing(html: str, page: Page) -> None:
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert "script" not in page.tags
    assert all(reference.startswith(("#", "data:")) for reference in page.references)
    assert not re.search(r"https?:|url\((?!#)|@import", html)
    assert {reference[1:] for reference in page.references if reference.startswith("#")} <= set(page.ids)
    # Clip paths of the figures are named where they are used.
    assert set(re.findall(r"url\(#(\w+)\)", html)) <= set(page.ids)


def test_every_picture_has_a_text_in_its_place(page: Page) -> None:
    assert len(page.images) > 10
    assert all(image.get("alt") or image.get("aria-label") for image in page.images)


def test_every_definition_stands_on_the_page(page: Page) -> None:
    for name, entry in DEFINITIONS.items():
        assert name in page.words
        assert str(entry["definition"]) in page.words


def test_scores_shown_are_those_of_the_record(record: RunRecord, page: Page) -> None:
    for scores in record.scores:
        assert scores.predictor in page.words
        for name, value in scores.values.items():
            shown = f"{100 * value:.2f}" if DEFINITIONS[name]["percent"] else f"{value:.4f}"
            assert shown in page.words


def test_rounds_shown_are_those_of_the_record(record: RunRecord, page: Page) -> None:
    for entry in record.rounds[1:]:
        assert entry.start is not None
        assert entry.estimate is not None
        assert entry.sampler is not None
        for energy in (entry.start, entry.estimate):
            assert f"{energy.upstream:.4g}" in page.words
            assert f"{energy.downstream:.4g}" in page.words
            assert f"{energy.total:.4g}" in page.words
        assert f"{entry.sampler.gain:.4g}" in page.words
        assert f"{100 * entry.validation['J']:.2f}" in page.words


def test_what_ran_is_shown(record: RunRecord, page: Page) -> None:
    for shown in ("2.13.0", "1,234,567 parameters", "d41d8cd98f00b204", "masks hold 0 and 255", record.directory):
        assert shown in page.words
    assert 'estimate = "best"' in page.words
    assert "limit" not in page.words  # TOML has no null: a key without a value is left out
    assert "1 min 14 s" in page.words  # 6 x 12.25 s = 73.5 s
    assert "53.1" in page.words  # the M-step's 6.5 of 12.25 s


def test_panels_are_embedded(html: str, page: Page) -> None:
    assert "data:image/png;base64," + base64.b64encode(PIXEL).decode() in html
    assert "Six examples" in page.words
    assert "What was found." in page.words


def test_coordinates_have_their_names(page: Page) -> None:
    assert "left" in page.words
    assert "coordinate 3" in page.words  # no name was given for it
    assert "in pixels" in page.words


def test_same_record_gives_same_bytes(record: RunRecord, tmp_path: Path) -> None:
    panels = [Panel("a", "b", PIXEL)]
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert write_report(record, panels, tmp_path / name) == tmp_path / name / "report.html"
    for name in ("report.html", "report.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert {file.name for file in (tmp_path / "one").iterdir()} == {"report.html", "report.json"}
    assert (tmp_path / "one" / "report.html").stat().st_size < 300_000


def test_report_json_comes_back_as_the_record(record: RunRecord, tmp_path: Path) -> None:
    write_report(record, [], tmp_path)
    again = read_report(tmp_path)
    assert to_plain(again) == to_plain(record)
    assert again.scores == tuple(record.scores)
    assert again.rounds[1].estimate == record.rounds[1].estimate


def test_report_json_is_strict_and_nan_survives(record: RunRecord, tmp_path: Path) -> None:
    scores = attrs.evolve(record.scores[0], values={"J": math.nan, "P": math.inf}, per_example={"J": {"a": math.nan}})
    write_report(attrs.evolve(record, scores=[scores], rounds=[]), [], tmp_path)
    text = (tmp_path / "report.json").read_text()
    values = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))["scores"][0]["values"]
    assert values == {"J": None, "P": None}
    assert math.isnan(read_report(tmp_path).scores[0].values["J"])


def test_plain_keeps_what_json_knows_and_writes_out_the_rest() -> None:
    value = {"a": (1, 2.5, True, None), 3: Path("x/y"), "energy": Energy(1.0, -math.inf)}
    assert to_plain(value) == {"a": [1, 2.5, True, None], "3": "x/y", "energy": {"upstream": 1.0, "downstream": None}}


def hostile(record: RunRecord) -> RunRecord:
    nasty = "<script>alert('1')</script>&\"$\\frac"
    return attrs.evolve(
        record,
        name=nasty,
        directory=nasty,
        versions={nasty: nasty},
        data={nasty: {"examples": 1, "fingerprint": nasty, "notes": [nasty]}},
        config={nasty: {"name": nasty}},
        timing=[{"round": 1, "phase": nasty, "seconds": 1.0}],
        scores=[attrs.evolve(record.scores[0], predictor=nasty, data=nasty, values={nasty: 0.5}, per_example={})],
        rounds=[attrs.evolve(entry, validation={nasty: 0.5}) for entry in record.rounds],
        definitions={nasty: {"definition": nasty, "better": "higher", "percent": False}},
        warnings=[nasty],
    )


def test_foreign_text_is_escaped(record: RunRecord) -> None:
    nasty = hostile(record).name
    page = Page(render(hostile(record), [Panel(nasty, nasty, PIXEL)], coordinates=[nasty] * 4, units=nasty))
    assert "script" not in page.tags
    assert page.open == []
    assert nasty in page.words


def test_lone_surrogates_of_file_names_do_not_stop_the_report(record: RunRecord, tmp_path: Path) -> None:
    write_report(attrs.evolve(record, directory="/data/\udcff", rounds=[]), [], tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8")
    assert read_report(tmp_path).directory == "/data/\udcff"


def edge_cases() -> Iterator[tuple[str, RunRecord, str]]:
    record = demo_record()
    empty = RunRecord(name="new", directory="runs/new", config={}, versions={}, data={}, parameters={})
    yield "nothing yet", empty, "No score yet"
    yield "no rounds", attrs.evolve(record, rounds=[]), "No E-step has been finished"
    yield (
        "warm-up only",
        attrs.evolve(record, rounds=record.rounds[:1], scores=[], finished=False),
        "0 of 5 rounds done",
    )
    yield "unfinished", attrs.evolve(record, rounds=record.rounds[:4], scores=[], finished=False), "3 of 5 rounds done"
    bare = [attrs.evolve(entry, validation={}) for entry in record.rounds]
    yield "no validation", attrs.evolve(record, rounds=bare), "No validation scores"
    yield "no test", attrs.evolve(record, scores=[]), "the run has no test data"
    yield "one example", attrs.evolve(record, scores=[scored("this run", 0.8, 1)]), "this run"
    still = SamplerRecord(None, 1.0, 1.0, 0.0, 0.0, None, None)
    quiet = [attrs.evolve(entry, sampler=still, adjustment=[{"0": 9}]) for entry in record.rounds[1:2]]
    yield "nothing measured", attrs.evolve(record, rounds=quiet), "Not measured"
    nan = attrs.evolve(record.scores[0], values={"J": math.nan}, per_example={"J": {"a": math.nan}})
    yield "NaN score", attrs.evolve(record, scores=[nan, record.scores[1]]), "is not a number"
    lost = [attrs.evolve(entry, estimate=Energy(math.nan, math.inf)) for entry in record.rounds]
    yield "NaN objective", attrs.evolve(record, rounds=lost), "Objective"


@pytest.mark.parametrize(("case", "expected"), [pytest.param(*case, id=name) for name, *case in edge_cases()])
def test_edge_cases_render(case: RunRecord, expected: str) -> None:
    page = Page(render(attrs.evolve(case, warnings=warnings(case))))
    assert page.open == []
    assert expected in page.words
    assert "nan" not in page.words.lower().split()


def test_best_of_each_column_is_marked(record: RunRecord) -> None:
    table = score_tables(record)[0]
    assert [row.name for row in table.rows] == ["this run", "otsu", "colour-contrast"]
    assert [cell.best for cell in table.rows[0].cells] == [True] * 4  # MAE: its lowest is best
    assert not any(cell.best for row in table.rows[1:] for cell in row.cells)


def test_one_row_has_no_best(record: RunRecord) -> None:
    table = score_tables(attrs.evolve(record, scores=record.scores[:1]))[0]
    assert not any(cell.best for cell in table.rows[0].cells)


def test_intervals_stand_beside_means_only(record: RunRecord) -> None:
    table = score_tables(record)[0]
    shown = {column.name: cell.interval for column, cell in zip(table.columns, table.rows[0].cells, strict=True)}
    assert shown["max F"] == ""  # it is no mean of scores per example
    low, high = (float(bound) for bound in shown["J"].split(" to "))
    mean = 100 * record.scores[0].values["J"]
    spread = 100 * np.std(list(record.scores[0].per_example["J"].values())) / math.sqrt(40)
    assert low < mean < high
    # The normal interval of the same mean, within a third of its own width.
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=1 / 3)


def test_interval_is_fixed_and_needs_two_scores() -> None:
    scores = np.random.default_rng(1).normal(size=50).tolist()
    assert interval(scores) == interval(scores)
    assert interval([*scores, math.nan]) == interval(scores)
    assert interval([0.5]) is None
    assert interval([math.nan, 0.5]) is None
    assert interval([0.5] * 9) == (0.5, 0.5)


def test_interval_covers_the_mean() -> None:
    # 200 intervals of 40 draws each: 95 % nominal, about 93 % for this sample size. Fewer than 170 covering has
    # probability under 1e-4 at 0.92 (binomial), and the seed is fixed.
    random = np.random.default_rng(0)
    bounds = [interval(random.random(40).tolist()) for _ in range(200)]
    assert sum(b is not None and b[0] <= 0.5 <= b[1] for b in bounds) >= 170


def test_a_sound_run_has_no_warnings(record: RunRecord) -> None:
    assert warnings(record) == []


def changed(record: RunRecord, **changes: Any) -> RunRecord:
    last = record.rounds[-1]
    assert last.sampler is not None
    sampler = attrs.evolve(last.sampler, **{k: v for k, v in changes.items() if hasattr(last.sampler, k)})
    entry = attrs.evolve(last, sampler=sampler, **{k: v for k, v in changes.items() if hasattr(last, k)})
    return attrs.evolve(record, rounds=[*record.rounds[:-1], entry])


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


@pytest.mark.parametrize(
    ("histogram", "period", "mean"),
    [
        ({"-170": 1, "0": 0, "170": 3}, 360.0, "mean +175"),
        ({"-170": 1, "0": 0, "170": 3}, None, "mean +85"),
        ({"-90": 5, "0": 0, "90": 5}, 360.0, ""),
        ({"0": 0}, 360.0, ""),
    ],
)
def test_the_mean_on_a_ring_is_the_circular_one(
    record: RunRecord, histogram: dict[str, int], period: float | None, mean: str
) -> None:
    ring = attrs.evolve(changed(record, adjustment=[histogram]), period=[period])
    # mean direction of -170 and three times 170: atan2(2 sin 170, 4 cos 170) = 174.96
    assert [card.value for card in adjustments(ring, ["angle"])] == [mean]


def test_few_effective_draws_matter_for_the_weighted_estimate(record: RunRecord) -> None:
    config = {"sampler": {"name": "metropolis-hastings", "estimate": "weighted"}, "em": {"draws": 8}}
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


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3.14159, "3.142"), (123456.7, "123,457"), (math.nan, text.MISSING), (None, text.MISSING), (0.00012, "0.00012")],
)
def test_numbers(value: float | None, expected: str) -> None:
    assert text.number(value) == expected


@pytest.mark.parametrize(("words", "expected"), [("a mean", "a mean."), ("A mean. ", "A mean."), ("", "")])
def test_sentences(words: str, expected: str) -> None:
    assert text.sentence(words) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.25, "0.25 s"), (12.34, "12.3 s"), (59.97, "1 min 0 s"), (75.0, "1 min 15 s"), (3599.7, "1 h 0 min")],
)
def test_durations(seconds: float, expected: str) -> None:
    assert text.duration(seconds) == expected
