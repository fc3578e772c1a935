"""Extract from image after image, in one process or several: one that fails does not stop the others."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from attrs import field, frozen

from jointtask.api import Progress, RunError, UserError
from jointtask.tools import write_atomic
from jointtask_object_extraction.data.names import shown
from jointtask_object_extraction.extract.cutter import Cutter
from jointtask_object_extraction.extract.inputs import Job
from jointtask_object_extraction.extract.outputs import Outputs, encode, encode_labels
from jointtask_object_extraction.extract.result import Cutout
from jointtask_object_extraction.extract.style import Style

__all__ = ["Extractor", "Failure", "Scored", "Summary", "extract_images"]

_NO_MORE_OUTPUT = frozenset({errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS})


@frozen
class Failure:
    """An image without all of its outputs, and why."""

    source: Path
    reason: str


@frozen
class Scored:
    """One object that was cut out.

    Attributes
    ----------
    image : str
        Path of the image below its folder, without suffix.
    number : int
        Number of the object in its image, from 1.
    score : float
        Expected intersection over union of its mask.
    note : str
        Reason why nothing was cut out; empty as a rule.
    """

    image: str
    number: int
    score: float
    note: str


@frozen
class Outcome:
    """What became of one image; `stopped` says why no further output can be written either."""

    source: Path
    scored: tuple[Scored, ...] = ()
    failure: str = ""
    stopped: OSError | None = None


@frozen
class Summary:
    """What became of the images.

    Attributes
    ----------
    done : int
        Number of images with all their outputs.
    failures : tuple of Failure
        Images without.
    scored : tuple of Scored
        Objects of the images that were done, in their order.
    stopped : OSError or None
        Reason why the outputs of any further image could not be written: the disk is full, or the folder not writable.
    """

    done: int
    failures: tuple[Failure, ...]
    scored: tuple[Scored, ...] = ()
    stopped: OSError | None = None


@frozen
class Extractor:
    """Cuts the objects out of one image and writes its outputs.

    Attributes
    ----------
    cutter : Cutter
        Cutter of the objects.
    destination : pathlib.Path
        Folder that exists.
    outputs : Outputs
        Files to write.
    style : Style
        Look of the cut-outs.
    overwrite : bool
        Whether outputs may replace files that have come to exist.
    """

    cutter: Cutter
    destination: Path
    outputs: Outputs
    style: Style = field(factory=Style)
    overwrite: bool = False

    def __call__(self, job: Job) -> Outcome:
        """Extract from one image; each output is written whole or not at all, and one that fails costs no other."""
        try:
            cutouts = self._cut(job)
            contents, faults = self._encode(job, cutouts)
        except Exception as error:  # whatever is odd about one image must not cost the user all the others
            return Outcome(job.source, failure=_reason(error, job.source))
        try:
            for path, content in contents.items():
                self._write(path, content)
        except OSError as error:
            if error.errno in _NO_MORE_OUTPUT:
                return Outcome(job.source, stopped=error)
            return Outcome(job.source, failure=f"{error.filename}: {error.strerror}")
        name = job.name.as_posix()
        scored = tuple(Scored(name, n, cutout.score, cutout.note) for n, cutout in enumerate(cutouts, start=1))
        return Outcome(job.source, scored, "; ".join(faults))

    def _cut(self, job: Job) -> list[Cutout]:
        if self.outputs.objects > 1:
            return self.cutter.objects(job.source, self.outputs.objects)
        return [self.cutter(job.source, box=job.box, point=job.point)]

    def _encode(self, job: Job, cutouts: Sequence[Cutout]) -> tuple[dict[Path, bytes], list[str]]:
        """Encode all outputs; return them, and what is wrong with those that have no file."""
        contents: dict[Path, bytes] = {}
        faults = []
        for number, cutout in enumerate(cutouts, start=1):
            for kind in self.outputs.kinds:
                path = self.outputs.path(self.destination, job.name, kind, number)
                try:
                    contents[path] = encode(kind, cutout, self.style, self.outputs.suffix)
                except UserError as error:
                    faults.append(f"no {path.name}: {_reason(error, job.source)}")
        if self.outputs.objects > 1:
            contents[self.outputs.labels(self.destination, job.name)] = encode_labels(cutouts)
        return contents, faults

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The plan found none, but another program may have written since, or a file system ignore upper and lower case.
        if not self.overwrite and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists already", str(path))
        write_atomic(path, content)


def extract_images(
    jobs: Sequence[Job], extractor: Callable[[int], Extractor], *, workers: int = 1, progress: Progress
) -> Summary:
    """Extract from many images; one that fails does not stop the others.

    Parameters
    ----------
    jobs : sequence of Job
        Images and what their outputs are called.
    extractor : callable
        Makes the `Extractor` with a number of threads, 0 for the library's own; called once in each process, and can be
        pickled where there are several.
    workers : int
        Number of processes.
    progress : Progress
        Receiver of the progress bar.

    Raises
    ------
    RunError
        If a process ends without an answer.
    """
    done = 0
    failures: list[Failure] = []
    scored: list[Scored] = []
    with _outcomes(jobs, extractor, workers) as outcomes, progress.phase("extracting", len(jobs)) as bar:
        for outcome in outcomes:
            if outcome.stopped is not None:
                return Summary(done, tuple(failures), tuple(scored), stopped=outcome.stopped)
            if outcome.failure:
                failures.append(Failure(outcome.source, outcome.failure))
            else:
                done += 1
            scored += outcome.scored
            bar.advance()
    return Summary(done, tuple(failures), tuple(scored))


@contextmanager
def _outcomes(jobs: Sequence[Job], extractor: Callable[[int], Extractor], workers: int) -> Iterator[Iterator[Outcome]]:
    """Give the outcomes of jobs in order; leaving the context early cancels those that have not begun."""
    if workers <= 1:
        extract = extractor(0)
        yield map(extract, jobs)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (extractor, workers))
    try:
        yield pool.map(_apply, jobs)
    except BrokenProcessPool as error:
        raise RunError(
            "a worker process ended without an answer",
            cause="most often the machine ran out of memory",
            remedy="use fewer --workers; --resume goes on where this call stopped",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_extractor: Extractor | None = None


def _start(extractor: Callable[[int], Extractor], workers: int) -> None:
    """Prepare a worker process: its share of the processor's cores, and its own copy of the model."""
    global _extractor
    _extractor = extractor(max(1, (os.cpu_count() or 1) // workers))


def _apply(job: Job) -> Outcome:
    assert _extractor is not None
    return _extractor(job)


def _reason(error: Exception, source: Path) -> str:
    if not isinstance(error, UserError):
        return " ".join(f"{type(error).__name__}: {error}".split())
    message = error.message.removeprefix(f"{shown(source)}: ")
    return f"{message} ({error.cause})" if error.cause else message
