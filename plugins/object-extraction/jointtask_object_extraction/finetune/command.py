"""The command `jointtask finetune`: train the shipped model further on a user's own images and masks."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from jointtask.api import ConfigError
from jointtask.tools import open_progress, write_atomic
from jointtask_object_extraction.data.pairing import find_pairs, listed
from jointtask_object_extraction.finetune.runfile import FEWEST, VALIDATION, epochs_for, finetune_file
from jointtask_object_extraction.settings import ImageFolder

__all__ = ["finetune"]


def finetune(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the run; the run file is NAME.toml.")],
    images: Annotated[Path, typer.Option("--images", help="Folder of images.", show_default=False)],
    masks: Annotated[Path, typer.Option("--masks", help="Folder of masks with the images' names.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", help="Folder that the run directory is made in.")] = Path("runs"),
    epochs: Annotated[
        int, typer.Option("--epochs", min=0, help="How often each image is learnt from; 0: by their number.")
    ] = 0,
    write_only: Annotated[bool, typer.Option("--write-only", help="Write the run file and stop.")] = False,
) -> None:
    """Train the shipped model further on your own images and masks.

    Writes a run file, runs it and says what it gained on images that were held back. The same command again continues
    a run that was interrupted.
    """
    _require_plain(name)
    used = _count(images, masks)
    held_back = round(VALIDATION * used)
    text = finetune_file(
        name,
        os.fspath(images),
        os.fspath(masks),
        output=os.fspath(output),
        epochs=max(2, epochs or epochs_for(used - held_back)),
    )
    path = Path(f"{name}.toml")
    _write(path, text)
    typer.echo(f"{path}: {used - held_back} images to learn from, {held_back} held back for validation")
    if write_only:
        typer.echo(f"next:\n  jointtask check {path}\n  jointtask run {path}")
        return
    from jointtask import run_file
    from jointtask_object_extraction.finetune.outcome import gain_lines, gain_of

    record = run_file(path, progress=open_progress())
    for line in gain_lines(gain) if (gain := gain_of(record)) else ():
        typer.echo(line)
    run = shlex.quote(os.path.relpath(record.directory))
    typer.echo(f"report: {Path(record.directory, 'report.html')}")
    typer.echo(f"next:\n  jointtask extract PHOTOGRAPHS --to DIR --model {run}")


def _require_plain(name: str) -> None:
    if not name or name.startswith((".", "-")) or any(character in name for character in "/\\\0"):
        raise ConfigError(f"NAME must be the plain name of a folder, got {name!r}")


def _count(images: Path, masks: Path) -> int:
    """Return the number of images with masks, refusing what names alone show to be wrong."""
    listing = find_pairs(ImageFolder(images=os.fspath(images), masks=os.fspath(masks), unlabelled="skip"))
    if listing.problems:
        lines = [f"{problem}, {len(names):,}: {listed(names)}" for problem, names in listing.problems.items()]
        raise ConfigError(
            "\n  ".join(["the images and masks cannot be paired:", *lines]), remedy="rename or remove them"
        )
    if len(listing.pairs) < FEWEST:
        raise ConfigError(
            f"{len(listing.pairs)} of {listing.images} images have a mask, and {FEWEST} are the least",
            cause="; ".join(listing.notes),
            remedy="a mask has the name of its image, in another folder or with another suffix",
        )
    return len(listing.pairs)


def _write(path: Path, text: str) -> None:
    """Write the run file, but never over another one."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except FileNotFoundError:
        write_atomic(path, text)
        return
    raise ConfigError(
        f"{path} is there already, and is not what would be written",
        remedy=f"`jointtask run {path}` runs it as it is; or choose another NAME",
    )
