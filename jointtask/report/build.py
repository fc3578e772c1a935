"""Write the report of a run: the record as JSON, and the page."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from jointtask.api.record import OWN, RunRecord
from jointtask.report import view
from jointtask.report.headline import headline
from jointtask.report.outcome import against_predictors, outcome
from jointtask.report.readings import sampler
from jointtask.report.scores import columns, score_tables
from jointtask.report.use import uses
from jointtask.tools import text
from jointtask.tools.files import write_atomic
from jointtask.tools.plain import from_plain, to_plain
from jointtask.tools.statistics import RESAMPLES

if TYPE_CHECKING:
    from jointtask.api.panel import Panel

__all__ = ["read_report", "render", "template", "write_report"]


def write_report(
    record: RunRecord,
    panels: Sequence[Panel],
    directory: Path,
    *,
    coordinates: Sequence[str] = (),
    units: str = "",
    commands: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write `report.json` and `report.html`, each whole or not at all.

    Parameters
    ----------
    record : RunRecord
        The run, finished or not. `report.json` is this record: strict JSON, null for a number that is none.
    panels : sequence of Panel
        Pictures that the pair drew, in the order of the page.
    directory : pathlib.Path
        The run directory.
    coordinates : sequence of str, optional
        The bridge's names of the adjustment's coordinates.
    units : str, optional
        The bridge's unit of an adjustment.
    commands : sequence of pairs of str, optional
        Ways to use the trained run that its plugin offers: what a command does, and its command line, in which RUN
        stands for the run directory.

    Returns
    -------
    pathlib.Path
        The page. The same record gives the same bytes.
    """
    page = directory / "report.html"
    html = render(record, panels, coordinates=coordinates, units=units, commands=commands)
    write_atomic(directory / "report.json", json.dumps(to_plain(record), indent=1, allow_nan=False) + "\n")
    write_atomic(page, html.encode(errors="replace"))  # file names that are no text hold lone surrogates
    return page


def read_report(directory: Path) -> RunRecord:
    """Return the record that `write_report` left in a run directory."""
    return from_plain(json.loads((directory / "report.json").read_text(encoding="utf-8")))


def render(
    record: RunRecord,
    panels: Sequence[Panel] = (),
    *,
    coordinates: Sequence[str] = (),
    units: str = "",
    commands: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the page: one HTML document that fetches nothing and runs no script.

    Parameters are those of `write_report`.
    """
    tables = score_tables(record)
    return template("jointtask.report").render(
        record=record,
        own=OWN,
        resamples=RESAMPLES,
        headline=headline(record, tables),
        warnings=record.warnings,
        tables=tables,
        outcome=outcome(record),
        differences=against_predictors(record),
        uses=uses(record.directory, commands) if record.finished else [],
        definitions=columns(record),
        objective=view.objective(record),
        validation=view.validation(record),
        sampler=sampler(record),
        adjustments=view.adjustments(record, coordinates),
        units=units,
        phases=view.phases(record),
        panels=[(panel, base64.b64encode(panel.png).decode()) for panel in panels],
        settings=view.settings(record),
    )


@cache
def template(package: str) -> jinja2.Template:
    """Return the page of a package; it can use what lies beside the report's own."""
    packages = dict.fromkeys([package, "jointtask.report"])
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name, ".") for name in packages]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": text.count, "sentence": text.sentence}
    return environment.get_template("template.html")
