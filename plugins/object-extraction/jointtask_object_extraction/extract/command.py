"""The command `jointtask extract`: cut objects out of images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from attrs import evolve, frozen

from jointtask.api import ConfigError, Progress, RunError
from jointtask.tools import SilentProgress, open_progress
from jointtask_object_extraction.data.names import shown
from jointtask_object_extraction.extract.backdrop import COLOURS, parse_background
from jointtask_object_extraction.extract.cutter import Cutter
from jointtask_object_extraction.extract.images import Extractor, Failure, Scored, Summary, extract_images
from jointtask_object_extraction.extract.inputs import Job, Plan, Refused, plan_extraction
from jointtask_object_extraction.extract.model import open_model
from jointtask_object_extraction.extract.outputs import DEFAULT, ENDINGS, Outputs
from jointtask_object_extraction.extract.prompts import give_boxes, parse_point
from jointtask_object_extraction.extract.ranking import require_summary, write_summary
from jointtask_object_extraction.extract.single import extract_stream, extract_to_file
from jointtask_object_extraction.extract.style import FORMATS, Style

__all__ = ["extract"]

_DEVICES = ("auto", "cpu", "cuda", "mps")
_LISTED = 5

_DRAWS = 8
"""Boxes drawn for `--save uncertainty`, unless told otherwise."""

_MANY = 64
"""From so many images on, a second process pays for its start."""

_MOST_OBJECTS = 20


@frozen
class _Options:
    """What each process needs to make its `Extractor`; it can be pickled, which a `Style` cannot."""

    model: str
    device: str
    draws: int
    max_pixels: int
    to: Path
    outputs: Outputs
    background: str
    crop: bool
    margin: float
    max_side: int
    overwrite: bool

    def style(self) -> Style:
        background = parse_background(self.background)
        return Style(background=background, crop=self.crop, margin=self.margin, max_side=self.max_side)

    def cutter(self, progress: Progress | None = None, threads: int = 0) -> Cutter:
        model = open_model(self.model, self.device, progress or SilentProgress(), threads=threads)
        return Cutter(model, draws=self.draws, max_pixels=self.max_pixels)


def extract(
    images: Annotated[
        list[Path],
        typer.Argument(help="Images, and folders of images; - reads one from standard input.", show_default=False),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="Folder for the results, made if missing; or a file for one cut-out.", show_default=False
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="A run directory, an exported .onnx file, shipped-onnx, or a predictor.")
    ] = "shipped",
    save: Annotated[
        str, typer.Option("--save", help=f"What to write, of {', '.join(ENDINGS)}; separated by commas.")
    ] = ",".join(DEFAULT),
    box: Annotated[
        str,
        typer.Option(
            "--box", help="x1,y1,x2,y2 about the object, in pixels; or a CSV or JSON file of boxes.", show_default=False
        ),
    ] = "",
    point: Annotated[str, typer.Option("--point", help="x,y on the object, in pixels.", show_default=False)] = "",
    objects: Annotated[
        int, typer.Option("--objects", min=1, max=_MOST_OBJECTS, help="Cut out up to so many objects of an image.")
    ] = 1,
    background: Annotated[
        str, typer.Option("--background", help=f"none, blur, {', '.join(COLOURS)}, #rrggbb, or a picture.")
    ] = "none",
    crop: Annotated[bool, typer.Option("--crop", help="Crop cut-outs to the object.")] = False,
    margin: Annotated[
        float, typer.Option("--margin", min=0, max=10, help="Margin of --crop, as a share of the object's longer side.")
    ] = 0.0,
    format: Annotated[
        str, typer.Option("--format", help=f"Of cut-outs: {', '.join(FORMATS)}.", show_default="png")
    ] = "",
    max_side: Annotated[
        int, typer.Option("--max-side", min=0, help="Longer side of cut-outs at most, in pixels; 0: as the image.")
    ] = 0,
    draws: Annotated[
        int,
        typer.Option(
            "--draws", min=0, max=1000, help=f"Boxes drawn to judge results by; 0: {_DRAWS} for uncertainty, else none."
        ),
    ] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Leave out images whose results exist.")] = False,
    workers: Annotated[
        int, typer.Option("--workers", min=0, max=256, help=f"Processes; 0: two for {_MANY} images and more.")
    ] = 0,
    device: Annotated[str, typer.Option("--device", help=f"One of {', '.join(_DEVICES)}.")] = "auto",
    max_pixels: Annotated[
        int, typer.Option("--max-pixels", min=1, help="Refuse larger images; 100 million pixels need about 2 GB.")
    ] = 100_000_000,
) -> None:
    """Cut objects out of images: masks, cut-outs, boxes and overlays, at the images' own sizes."""
    kinds = _parse_kinds(save)
    if device not in _DEVICES:
        raise ConfigError(f"--device must be one of {', '.join(_DEVICES)}, got '{device}'")
    if sum([bool(box), bool(point), objects > 1]) > 1:
        raise ConfigError("--box, --point and --objects exclude each other")
    if overwrite and resume:
        raise ConfigError("--overwrite and --resume exclude each other")
    outputs = Outputs(kinds, _suffix(format, to), objects)
    if "uncertainty" in kinds:
        draws = draws or _DRAWS
    options = _Options(
        model, device, draws, max_pixels, to or Path(), outputs, background, crop, margin, max_side, overwrite
    )
    style = options.style()
    if "cutouts" in kinds or to is None or to.suffix:
        style.require(outputs.suffix)
    progress = open_progress()
    if Path("-") in images:
        extract_stream(images, to, partial(options.cutter, progress), outputs.suffix, style, box, point)
        return
    if to is None:
        raise ConfigError("--to is missing", remedy="name a folder for the results, or a file for one cut-out")
    if _is_file(to):
        extract_to_file(images, to, partial(options.cutter, progress), style, box, point, overwrite=overwrite)
        return
    plan = plan_extraction(images, to, outputs, existing="replace" if overwrite else "skip" if resume else "refuse")
    jobs = list(plan.jobs)
    if point:
        jobs = [evolve(job, point=parse_point(point)) for job in jobs]
    if box:
        jobs = give_boxes(jobs, box)
    if "uncertainty" in kinds:
        require_summary(to)
    # With --resume, what is missing of an image is written again with all that it has.
    summary = _run(jobs, evolve(options, overwrite=overwrite or resume), workers, progress, to)
    if "uncertainty" in kinds and summary.scored:
        write_summary(to, summary.scored)
    _report(summary, plan, to)


def _run(jobs: Sequence[Job], options: _Options, workers: int, progress: Progress, to: Path) -> Summary:
    processes = workers or (min(2, os.cpu_count() or 1) if len(jobs) >= _MANY and options.device != "cuda" else 1)
    processes = max(1, min(processes, len(jobs)))
    if processes > 1:
        _make_folder(to)
        return extract_images(jobs, partial(_extractor, options), workers=processes, progress=progress)
    if not jobs:
        return Summary(0, ())
    cutter = options.cutter(progress)
    if options.device == "auto" and cutter.device:
        progress.say(f"on {cutter.device}")
    _make_folder(to)
    extractor = Extractor(cutter, to, options.outputs, options.style(), options.overwrite)
    return extract_images(jobs, lambda threads: extractor, progress=progress)


def _extractor(options: _Options, threads: int) -> Extractor:
    """Make what a worker process extracts with."""
    return Extractor(options.cutter(threads=threads), options.to, options.outputs, options.style(), options.overwrite)


def _parse_kinds(save: str) -> tuple[str, ...]:
    """Read `--save`; the singular of a kind is taken as the kind."""
    singular = {kind.removesuffix("s"): kind for kind in ENDINGS} | {"boxe": "boxes", "box": "boxes"}
    given = [kind.strip().lower() for kind in save.split(",") if kind.strip()]
    kinds = tuple(dict.fromkeys(singular.get(kind, kind) for kind in given))
    unknown = [kind for kind in kinds if kind not in ENDINGS]
    if unknown or not kinds:
        raise ConfigError(f"--save must name some of {', '.join(ENDINGS)}, got '{save}'")
    return kinds


def _suffix(format: str, to: Path | None) -> str:
    """Return the ending of cut-outs: as told, or that of the file they go to, or a PNG's."""
    name = format.lower().removeprefix(".").replace("jpeg", "jpg")
    if not name:
        name = to.suffix.lower().removeprefix(".").replace("jpeg", "jpg") if to is not None and _is_file(to) else "png"
    if name not in FORMATS:
        raise ConfigError(f"--format must be one of {', '.join(FORMATS)}, got '{format}'")
    return FORMATS[name]


def _is_file(to: Path) -> bool:
    """Say whether `--to` names a picture and no folder."""
    return to.suffix.lower() in (*FORMATS.values(), ".jpeg") and not to.is_dir()


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise ConfigError(f"{path} cannot be made", cause=reason or "", remedy="choose another --to") from error


def _report(summary: Summary, plan: Plan, destination: Path) -> None:
    """Sum up on standard output, and leave with 1 if any image lacks outputs."""
    before = f", {plan.done} done before" if plan.done else ""
    failures: list[Refused | Failure] = [*plan.refused, *summary.failures]
    typer.echo(f"{summary.done} done, {len(failures)} failed{before}; results in {shown(destination)}")
    for line in plan.left_out:
        typer.echo(line)
    for line in _notes(summary.scored):
        typer.echo(line)
    for failure in failures:
        typer.echo(f"failed: {shown(failure.source)}: {failure.reason}")
    if summary.stopped is not None:
        left = len(plan.jobs) - summary.done - len(summary.failures)
        raise RunError(
            f"{summary.stopped.filename} cannot be written, and {left} of {len(plan.jobs)} images are left",
            cause=summary.stopped.strerror or str(summary.stopped),
            remedy="make room or choose another --to, and run again with --resume",
        )
    if failures:
        raise typer.Exit(1)


def _notes(scored: Sequence[Scored]) -> list[str]:
    """Name the first images of which nothing was cut out."""
    empty = [f"nothing cut out of {shown(s.image)}: {s.note}" for s in scored if s.note]
    more = [f"and {len(empty) - _LISTED} more"] if len(empty) > _LISTED else []
    return [*empty[:_LISTED], *more]
