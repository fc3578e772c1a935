"""One photograph to one cut-out: from standard input, or to a file that is named."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from jointtask.api import ConfigError, RunError
from jointtask.tools import write_atomic
from jointtask_object_extraction.extract.cutter import Cutter
from jointtask_object_extraction.extract.prompts import parse_box, parse_point
from jointtask_object_extraction.extract.read import Source
from jointtask_object_extraction.extract.result import Cutout
from jointtask_object_extraction.extract.style import Style, compose, encode_picture

__all__ = ["extract_stream", "extract_to_file"]


def extract_stream(
    images: Sequence[Path], to: Path | None, load: Callable[[], Cutter], suffix: str, style: Style, box: str, point: str
) -> None:
    """Read one image from standard input and write its cut-out to standard output.

    Raises
    ------
    UserError
        If there are other images or a place for results, or nothing that can be read comes in.
    """
    if len(images) > 1 or to is not None:
        raise ConfigError(
            "'-' reads one image from standard input and writes its cut-out to standard output",
            remedy="leave out other images and --to",
        )
    if sys.stdout.isatty():
        raise ConfigError("a picture cannot be shown in a terminal", remedy="write it to a file: ... - > cut.png")
    content = sys.stdin.buffer.read()
    if not content:
        raise ConfigError("nothing came from standard input", remedy="jointtask extract - < photo.jpg > cut.png")
    picture = encode_picture(suffix, compose(_cut(load(), content, box, point), style))
    sys.stdout.buffer.write(picture)
    sys.stdout.buffer.flush()


def extract_to_file(
    images: Sequence[Path], to: Path, load: Callable[[], Cutter], style: Style, box: str, point: str, *, overwrite: bool
) -> None:
    """Cut out of one image, and write its cut-out to a file.

    Raises
    ------
    UserError
        If there are more images, or the file exists and may not be replaced, or cannot be written.
    """
    if len(images) > 1 or images[0].is_dir():
        raise ConfigError(f"--to {to} is one file, and there may be several images", remedy="name a folder")
    if not images[0].exists():
        raise ConfigError(f"{images[0]}: no such file or folder")
    if to.exists() and to.samefile(images[0]):
        raise ConfigError(f"--to {to} is the image itself", remedy="choose another --to")
    if os.path.lexists(to) and not overwrite:
        raise ConfigError(f"{to} exists already", remedy="choose another --to, or replace it with --overwrite")
    content = encode_picture(style.require(to.suffix.lower()), compose(_cut(load(), images[0], box, point), style))
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(to, content)
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or errno.EIO)
        raise RunError(f"{to} cannot be written", cause=reason, remedy="choose another --to") from error


def _cut(cutter: Cutter, source: Source, box: str, point: str) -> Cutout:
    cutout = cutter(
        source,
        box=parse_box(box.split(","), f"--box {box}") if box else None,
        point=parse_point(point) if point else None,
    )
    if cutout.note:
        sys.stderr.write(f"nothing was cut out: {cutout.note}\n")
    return cutout
