"""The command `jointtask score`: score masks or maps that any program made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from jointtask.api import ConfigError, RunError
from jointtask.tools import open_progress, write_atomic
from jointtask_object_extraction.score.figure import FIGURES, draw
from jointtask_object_extraction.score.image import Scorer, score_images
from jointtask_object_extraction.score.matching import match, require_folders
from jointtask_object_extraction.score.summary import choose, summarise
from jointtask_object_extraction.score.tables import as_csv, as_json, lines, problems

__all__ = ["score"]


def score(
    predictions: Annotated[
        list[Path], typer.Argument(metavar="PRED", help="Folders of masks or maps.", show_default=False)
    ],
    truth: Annotated[Path, typer.Argument(metavar="GT", help="Folder of ground-truth masks.", show_default=False)],
    metrics: Annotated[
        str, typer.Option("--metrics", help="Scores (J) or metrics (f-measure), separated by commas; all if empty.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a row for each image and folder.")
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure", metavar="FILE", help=f"Draw precision-recall and F curves, as {', '.join(sorted(FIGURES))}."
        ),
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Accept masks without a prediction.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, metavar="N", help="Processes that score.")] = 1,
    max_pixels: Annotated[int, typer.Option("--max-pixels", min=1, help="Refuse larger images.")] = 100_000_000,
) -> None:
    """Score masks or maps that any program made.

    Files belong together by name. Several folders of predictions are compared, each with the first
    by paired intervals. The exit code is 1 if a file cannot be read or a mask has no prediction.
    """
    require_folders(predictions, truth)
    scores = choose(metrics)
    for path in (csv, figure):
        _require_writable(path)
    if figure is not None and figure.suffix.lower() not in FIGURES:
        raise ConfigError(f"--figure {figure}: no known kind of figure", remedy=f"end it in {', '.join(FIGURES)}")
    masks, folders = match(predictions, truth)
    if not metrics and not any(folder.boxes for folder in folders):
        scores = {name: metric for name, metric in scores.items() if metric != "box-iou"}
    scorer = Scorer(masks.files, folders, list(dict.fromkeys(scores.values())), figure is not None, max_pixels)
    table = summarise(score_images(scorer, workers, open_progress()), folders, scores, truth, masks)
    faults = problems(table, partial=partial)
    for line in [as_json(table)] if json else [*lines(table), *faults]:
        typer.echo(line)
    if json:
        for line in faults:
            typer.echo(line, err=True)
    if csv is not None:
        _write(csv, as_csv(table))
    if figure is not None and any(folder.images for folder in table.folders):
        _write(figure, draw(table, figure.suffix.lower()))
    if faults:
        raise typer.Exit(1)


def _require_writable(path: Path | None) -> None:
    """See that a file can be written before any work is done for it."""
    if path is None:
        return
    reason = ""
    if path.is_dir():
        reason = "it is a folder"
    elif not path.parent.is_dir():
        reason = f"there is no folder {path.parent}"
    elif not os.access(path.parent, os.W_OK):
        reason = f"the folder {path.parent} is protected"
    if reason:
        raise ConfigError(f"{path} cannot be written", cause=reason, remedy="name a file in a folder that exists")


def _write(path: Path, content: bytes | str) -> None:
    try:
        write_atomic(path, content)
    except OSError as error:
        raise RunError(
            f"{path} cannot be written, the scores above are whole",
            cause=error.strerror or str(error),
            remedy="make room, or name another file",
        ) from error
