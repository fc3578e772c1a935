"""What `jointtask extract` reads, and where its results will go: settled, and refused, before any work."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from attrs import frozen

from jointtask.api import ConfigError
from jointtask_object_extraction.data.decode import SUFFIXES
from jointtask_object_extraction.extract.outputs import Outputs

__all__ = ["Job", "Plan", "plan_extraction"]

_LISTED = 5


@frozen
class Job:
    """One image to extract from.

    Attributes
    ----------
    source : pathlib.Path
        The image.
    name : pathlib.Path
        Its path below the destination, without suffix.
    box : tuple of 4 float, or None
        Half-open box (x1, y1, x2, y2) about the object, in pixels, where the user gives one.
    point : tuple of 2 float, or None
        Point (x, y) on the object, in pixels, where the user gives one.
    """

    source: Path
    name: Path
    box: tuple[float, float, float, float] | None = None
    point: tuple[float, float] | None = None


@frozen
class Plan:
    """All that one call will do.

    Attributes
    ----------
    jobs : tuple of Job
        In the order given, folders by name.
    skipped : int
        Files in the folders that are not read: no images by their names, hidden, or outputs of an earlier call.
    done : int
        Images that an earlier call has done, and that are left out of `jobs`.
    """

    jobs: tuple[Job, ...]
    skipped: int
    done: int = 0


def plan_extraction(
    given: Sequence[Path],
    destination: Path,
    outputs: Outputs,
    *,
    existing: Literal["refuse", "replace", "skip"] = "refuse",
) -> Plan:
    """Find the images and say where their outputs go.

    The outputs of an image given by name go into `destination`; those of the images of a folder, searched in depth, go
    where the image is below the folder. Hidden files and folders are not searched, nor is `destination` where it lies
    inside.

    Parameters
    ----------
    given : sequence of pathlib.Path
        Files and folders.
    destination : pathlib.Path
        Folder, which may not exist yet.
    outputs : Outputs
        Files that are written for each image.
    existing : "refuse", "replace" or "skip"
        What happens to images with outputs that exist: nothing is done at all, the outputs are replaced, or images with
        all their outputs are left out and those with some are done again.

    Raises
    ------
    ConfigError
        If something given is missing, a folder cannot be read, there is no image at all, two images would have one
        output, an output would replace an image given by name, or a file that exists and may not be replaced.
    """
    named: dict[Path, Job] = {}
    walked: dict[Path, list[Job]] = {}
    skipped = 0
    for path in given:
        if path.is_dir():
            for file in _files(path, destination):
                if file.name.startswith(".") or file.suffix.lower() not in SUFFIXES:
                    skipped += 1
                else:
                    job = Job(file, file.relative_to(path).with_suffix(""))
                    walked.setdefault(_place(file), []).append(job)
        elif path.exists():
            named[_place(path)] = Job(path, Path(path.stem))
        else:
            raise ConfigError(f"{path}: no such file or folder")
    owners = _owners([*named.values(), *(job for jobs in walked.values() for job in jobs)], destination, outputs)
    for place, job in named.items():
        if place in owners:
            raise ConfigError(f"{job.source} is where the output of {owners[place]} goes", remedy="choose another --to")
    skipped += sum(place in owners for place in walked)
    jobs = [*named.values(), *(job for place, group in walked.items() if place not in owners for job in group)]
    jobs = list({(_place(job.source), job.name): job for job in jobs}.values())
    if not jobs:
        raise ConfigError(
            f"no images in {', '.join(map(str, given))}",
            cause=f"{skipped} other files; images end in {', '.join(sorted(SUFFIXES))}",
        )
    _refuse_collisions(jobs, destination, outputs)
    if existing == "refuse":
        _refuse_existing(jobs, destination, outputs)
    left = [job for job in jobs if existing != "skip" or not outputs.done(destination, job.name)]
    return Plan(tuple(left), skipped, len(jobs) - len(left))


def _files(folder: Path, destination: Path) -> Iterator[Path]:
    """Yield all files below a folder, in order, but not those below the destination."""

    def fail(error: OSError) -> None:
        raise ConfigError(f"{error.filename} cannot be read", cause=error.strerror or str(error))

    apart = destination.resolve()
    for parent, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and (Path(parent) / f).resolve() != apart)
        yield from (Path(parent) / file for file in sorted(files))


def _place(path: Path) -> Path:
    """Return the one absolute path of a file, links in its folders followed, but not the file's own."""
    return path.parent.resolve() / path.name


def _owners(jobs: Sequence[Job], destination: Path, outputs: Outputs) -> Mapping[Path, Path]:
    """Return which image each output, of any kind, belongs to."""
    folder = destination.resolve()
    return {path: job.source for job in jobs for path in outputs.every(folder, job.name)}


def _refuse_collisions(jobs: Sequence[Job], destination: Path, outputs: Outputs) -> None:
    sources: dict[Path, list[str]] = {}
    for job in jobs:
        sources.setdefault(job.name, []).append(str(job.source))
    lines = [
        f"{' and '.join(group)} would both be written to {outputs.paths(destination, name)[0]}"
        for name, group in sources.items()
        if len(group) > 1
    ]
    if lines:
        raise ConfigError(
            f"inputs collide; nothing was done\n{_listed(lines)}",
            remedy="rename one of each, or extract them in separate calls with another --to",
        )


def _refuse_existing(jobs: Sequence[Job], destination: Path, outputs: Outputs) -> None:
    paths = (path for job in jobs for path in outputs.paths(destination, job.name))
    lines = [str(path) for path in paths if os.path.lexists(path)]
    if lines:
        raise ConfigError(
            f"outputs exist already; nothing was done\n{_listed(lines)}",
            remedy="choose another --to, replace them with --overwrite, or do only what is missing with --resume",
        )


def _listed(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "\n".join(f"  {line}" for line in [*lines[:_LISTED], *more])
