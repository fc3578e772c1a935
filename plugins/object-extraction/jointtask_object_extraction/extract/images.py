"""Extract from image after image: one that fails does not stop the others."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

from jointtask.api import Progress, UserError
from jointtask.tools import write_atomic
from jointtask_object_extraction.data.decode import decode_image
from jointtask_object_extraction.extract.inputs import Plan
from jointtask_object_extraction.extract.outputs import encode, output_path
from jointtask_object_extraction.photograph import Extraction, Photograph

__all__ = ["Failure", "Predict", "Summary", "extract_images"]

Predict = Callable[[Photograph], Extraction]
"""Extracts from one photograph, at its own size."""

_NO_MORE_OUTPUT = frozenset({errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS})


@frozen
class Failure:
    """An image that nothing was extracted from, and why."""

    source: Path
    reason: str


@frozen
class Summary:
    """What became of the images.

    Attributes
    ----------
    done : int
        Images with all their outputs.
    failures : tuple of Failure
        Images without.
    stopped : OSError or None
        Why the outputs of any further image could not be written: the disk is full, or the folder not writable.
    """

    done: int
    failures: tuple[Failure, ...]
    stopped: OSError | None = None


def extract_images(
    plan: Plan,
    predict: Predict,
    destination: Path,
    kinds: Sequence[str],
    *,
    overwrite: bool,
    max_pixels: int,
    progress: Progress,
) -> Summary:
    """Extract from one image after the other; an image that fails does not stop the others.

    Each output is written whole or not at all, and only when all outputs of its image are made.

    Parameters
    ----------
    plan : Plan
        The images, and what their outputs are called.
    predict : callable
        The model.
    destination : pathlib.Path
        Folder that exists.
    kinds : sequence of str
        Keys of `ENDINGS`.
    overwrite : bool
        Whether outputs may replace files that have come to exist.
    max_pixels : int
        Larger images fail.
    progress : Progress
        Where it reports.
    """
    done = 0
    failures: list[Failure] = []
    with progress.phase("extracting", len(plan.jobs)) as bar:
        for job in plan.jobs:
            try:
                photograph = Photograph(job.source.name, decode_image(job.source, max_pixels), None)
                extraction = predict(photograph)
                contents = {
                    output_path(destination, job.name, kind): encode(kind, photograph, extraction) for kind in kinds
                }
            except Exception as error:  # whatever is odd about one image must not cost the user all the others
                failures.append(Failure(job.source, _reason(error, job.source)))
            else:
                try:
                    for path, content in contents.items():
                        _write(path, content, overwrite=overwrite)
                    done += 1
                except OSError as error:
                    if error.errno in _NO_MORE_OUTPUT:
                        return Summary(done, tuple(failures), stopped=error)
                    failures.append(Failure(job.source, f"{error.filename}: {error.strerror}"))
            bar.advance()
    return Summary(done, tuple(failures))


def _write(path: Path, content: bytes, *, overwrite: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The plan found none, but another program may have written since, or a file system ignore upper and lower case.
    if not overwrite and os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, "exists already", str(path))
    write_atomic(path, content)


def _reason(error: Exception, source: Path) -> str:
    if not isinstance(error, UserError):
        return " ".join(f"{type(error).__name__}: {error}".split())
    message = error.message.removeprefix(f"{source}: ")
    return f"{message} ({error.cause})" if error.cause else message
