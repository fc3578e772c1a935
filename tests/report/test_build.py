from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from demo_run import DEFINITIONS, PIXEL, demo_record, scored
from page import Page

from jointtask.api.panel import Panel
from jointtask.api.record import Energy, RunRecord, SamplerRecord
from jointtask.report import read_report, render, warnings, write_report
from jointtask.tools.plain import to_plain


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
