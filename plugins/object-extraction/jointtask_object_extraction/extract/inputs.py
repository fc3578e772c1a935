"""What `jointtask extract` reads, and where its results will go: settled, and refused, before any work."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from jointtask.api import ConfigError
from jointtask_object_extraction.data.decode import SUFFIXES
from jointtask_object_extraction.extract.outputs import ENDINGS, output_path

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
    """

    source: Path
    name: Path


@frozen
class Plan:
    """All that one call will do.

    Attributes
    ----------
    jobs : tuple of Job
        In the order given, folders by name.
    skipped : int
        Files in the folders that are not read: no images by their names, hidden, or outputs of an earlier call.
    """

    jobs: tuple[Job, ...]
    skipped: int


def plan_extraction(given: Sequence[Path], destination: Path, kinds: Sequence[str], *, overwrite: bool) -> Plan:
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
    kinds : sequence of str
        Keys of `ENDINGS`.
    overwrite : bool
        Whether outputs may replace files that exist.

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
    outputs = _outputs([*named.values(), *(job for jobs in walked.values() for job in jobs)], destination)
    for place, job in named.items():
        if place in outputs:
            raise ConfigError(
                f"{job.source} is where the output of {outputs[place]} goes", remedy="choose another --to"
            )
    skipped += sum(place in outputs for place in walked)
    jobs = [*named.values(), *(job for place, group in walked.items() if place not in outputs for job in group)]
    jobs = list({(_place(job.source), job.name): job for job in jobs}.values())
    if not jobs:
        raise ConfigError(
            f"no images in {', '.join(map(str, given))}",
            cause=f"{skipped} other files; images end in {', '.join(sorted(SUFFIXES))}",
        )
    _refuse_collisions(jobs, destination, kinds)
    if not overwrite:
        _refuse_existing(jobs, destination, kinds)
    return Plan(tuple(jobs), skipped)


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


def _outputs(jobs: Sequence[Job], destination: Path) -> Mapping[Path, Path]:
    """Return which image each output, of any kind, belongs to."""
    folder = destination.resolve()
    return {output_path(folder, job.name, kind): job.source for job in jobs for kind in ENDINGS}


def _refuse_collisions(jobs: Sequence[Job], destination: Path, kinds: Sequence[str]) -> None:
    sources: dict[Path, list[str]] = {}
    for job in jobs:
        sources.setdefault(job.name, []).append(str(job.source))
    lines = [
        f"{' and '.join(group)} would both be written to {output_path(destination, name, kinds[0])}"
        for name, group in sources.items()
        if len(group) > 1
    ]
    if lines:
        raise ConfigError(
            f"inputs collide; nothing was done\n{_listed(lines)}",
            remedy="rename one of each, or extract them in separate calls with another --to",
        )


def _refuse_existing(jobs: Sequence[Job], destination: Path, kinds: Sequence[str]) -> None:
    paths = (output_path(destination, job.name, kind) for job in jobs for kind in kinds)
    lines = [str(path) for path in paths if os.path.lexists(path)]
    if lines:
        raise ConfigError(
            f"outputs exist already; nothing was done\n{_listed(lines)}",
            remedy="choose another --to, or replace them with --overwrite",
        )


def _listed(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "\n".join(f"  {line}" for line in [*lines[:_LISTED], *more])
