"""The command `jointtask extract`: cut objects out of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from jointtask.api import ConfigError, Progress, RunError
from jointtask.tools import open_progress
from jointtask_object_extraction.extract.images import Predict, Summary, extract_images
from jointtask_object_extraction.extract.inputs import Plan, plan_extraction
from jointtask_object_extraction.extract.model import load_run
from jointtask_object_extraction.extract.outputs import ENDINGS

__all__ = ["extract"]

_DEVICES = ("auto", "cpu", "cuda", "mps")


def extract(
    images: Annotated[list[Path], typer.Argument(help="Images, and folders of images.", show_default=False)],
    to: Annotated[Path, typer.Option("--to", help="Folder for the results; made if missing.", show_default=False)],
    model: Annotated[str, typer.Option("--model", help="A run directory, or the name of a predictor.")] = "shipped",
    save: Annotated[str, typer.Option("--save", help="What to write, separated by commas.")] = ",".join(ENDINGS),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")] = False,
    device: Annotated[str, typer.Option("--device", help=f"One of {', '.join(_DEVICES)}.")] = "auto",
    max_pixels: Annotated[
        int, typer.Option("--max-pixels", min=1, help="Refuse larger images; 100 million pixels need about 2 GB.")
    ] = 100_000_000,
) -> None:
    """Cut objects out of images: masks, cut-outs, boxes and overlays, at the images' own sizes."""
    kinds = _parse_kinds(save)
    if device not in _DEVICES:
        raise ConfigError(f"--device must be one of {', '.join(_DEVICES)}, got '{device}'")
    plan = plan_extraction(images, to, kinds, overwrite=overwrite)
    progress = open_progress()
    predict = _load(model, device, progress)
    _make_folder(to)
    summary = extract_images(plan, predict, to, kinds, overwrite=overwrite, max_pixels=max_pixels, progress=progress)
    _report(summary, plan, to)


def _load(model: str, device: Any, progress: Progress) -> Predict:
    """Make a run directory, or a predictor named as in `evaluate.predictors`, callable."""
    from jointtask import named_predictor

    if Path(model).is_dir():
        return load_run(Path(model), device, progress)
    return named_predictor(model, device=device, progress=progress)


def _parse_kinds(save: str) -> list[str]:
    kinds = list(dict.fromkeys(kind.strip() for kind in save.split(",") if kind.strip()))
    unknown = [kind for kind in kinds if kind not in ENDINGS]
    if unknown or not kinds:
        raise ConfigError(f"--save must name some of {', '.join(ENDINGS)}, got '{save}'")
    return kinds


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise ConfigError(f"{path} cannot be made", cause=reason or "", remedy="choose another --to") from error


def _report(summary: Summary, plan: Plan, destination: Path) -> None:
    """Sum up on standard output, and leave with 1 if any image has no outputs."""
    skipped = f", {plan.skipped} other files skipped" if plan.skipped else ""
    typer.echo(f"{summary.done} done, {len(summary.failures)} failed{skipped}; results in {destination}")
    for failure in summary.failures:
        typer.echo(f"failed: {failure.source}: {failure.reason}")
    if summary.stopped is not None:
        left = len(plan.jobs) - summary.done - len(summary.failures)
        raise RunError(
            f"{summary.stopped.filename} cannot be written, and {left} of {len(plan.jobs)} images are left",
            cause=summary.stopped.strerror or str(summary.stopped),
            remedy="make room or choose another --to, and run again; --overwrite replaces what is already there",
        )
    if summary.failures:
        raise typer.Exit(1)
