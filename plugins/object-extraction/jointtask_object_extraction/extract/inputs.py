"""What `jointtask extract` reads, and where its results will go: settled, and refused, before any work."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from attrs import frozen

from jointtask.api import ConfigError
from jointtask.tools.text import listing
from jointtask_object_extraction.data.formats import SUFFIXES
from jointtask_object_extraction.data.listing import FolderContent, list_folder
from jointtask_object_extraction.data.names import normal, shown
from jointtask_object_extraction.extract.outputs import Outputs

__all__ = ["Job", "Plan", "Refused", "plan_extraction"]


_LONGEST_NAME = 255
"""Bytes of a file name: the limit of the file systems of Linux, macOS and Windows."""


@frozen
class Job:
    """One image to extract from.

    Attributes
    ----------
    source : pathlib.Path
        The image.
    name : pathlib.Path
        Path below the destination, without suffix.
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
class Refused:
    """A photograph that nothing is extracted from, and why.

    Attributes
    ----------
    source : pathlib.Path
        The photograph.
    reason : str
        Reason why it cannot be done, with a remedy.
    """

    source: Path
    reason: str


@frozen
class Plan:
    """All that one call will do.

    Attributes
    ----------
    jobs : tuple of Job
        Images to cut, in the order given, folders by name.
    refused : tuple of Refused
        Photographs of a kind that is not read, and images whose outputs would have one name.
    left_out : tuple of str
        Lines on what is not read, one for each folder with such files.
    done : int
        Number of images that an earlier call has done, and that are left out of `jobs`.
    """

    jobs: tuple[Job, ...]
    refused: tuple[Refused, ...] = ()
    left_out: tuple[str, ...] = ()
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
    where the image is below the folder. What is read in a folder is told by `list_folder`; `destination` and outputs of
    an earlier call are not.

    Parameters
    ----------
    given : sequence of pathlib.Path
        Files and folders.
    destination : pathlib.Path
        Folder, which may not exist yet.
    outputs : Outputs
        Files that are written for each image.
    existing : "refuse", "replace" or "skip"
        Treatment of images whose outputs exist: nothing is done at all, the outputs are replaced, or images with all
        their outputs are left out and those with some are done again.

    Returns
    -------
    Plan

    Raises
    ------
    ConfigError
        If something given is missing or no regular file, there is no image at all, an output would replace an image
        given by name or a file that exists and may not be replaced, or lie outside of `destination`.
    DataError
        If a folder cannot be read.
    """
    named: dict[Path, Job] = {}
    walked: dict[Path, list[Job]] = {}
    contents: list[tuple[Path, FolderContent]] = []
    for path in given:
        if path.is_dir():
            content = list_folder(path, apart=destination)
            contents.append((path, content))
            for file in content.images:
                walked.setdefault(_place(file), []).append(Job(file, file.relative_to(path).with_suffix("")))
        elif path.is_file():
            named[_place(path)] = Job(path, Path(path.stem))
        else:
            what = "no regular file" if path.exists() else "no such file or folder"
            raise ConfigError(f"{shown(path)}: {what}", remedy="name image files and folders of images")
    owners = _owners([*named.values(), *(job for jobs in walked.values() for job in jobs)], destination, outputs)
    for place, job in named.items():
        if place in owners:
            raise ConfigError(
                f"{shown(job.source)} is where the output of {shown(owners[place])} goes",
                remedy="choose another --to",
            )
    jobs = [*named.values(), *(job for place, group in walked.items() if place not in owners for job in group)]
    jobs = list({(_place(job.source), job.name): job for job in jobs}.values())
    unread = [
        Refused(path, f"{path.suffix} files are not read; {remedy}")
        for _, content in contents
        for path, remedy in content.unread
    ]
    left_out = tuple(f"{shown(path)}: {content.left_out}" for path, content in contents if content.left_out)
    if not jobs:
        raise ConfigError(
            f"no images in {', '.join(map(shown, given))}",
            cause="; ".join([*left_out, f"images end in {', '.join(sorted(SUFFIXES))}"]),
        )
    _refuse_outside(jobs, destination)
    jobs, too_long = _separate_long_names(jobs, destination, outputs)
    jobs, colliding = _separate_collisions(jobs, destination, outputs)
    if existing == "refuse":
        _refuse_existing(jobs, destination, outputs)
    left = [job for job in jobs if existing != "skip" or not outputs.done(destination, job.name)]
    if already := sum(place in owners for place in walked):
        left_out = (*left_out, f"left out: {already:,} outputs of an earlier call")
    return Plan(tuple(left), (*unread, *too_long, *colliding), left_out, len(jobs) - len(left))


def _place(path: Path) -> Path:
    """Return the one absolute path of a file, links in its folders followed, but not the file's own."""
    return path.parent.resolve() / path.name


def _owners(jobs: Sequence[Job], destination: Path, outputs: Outputs) -> Mapping[Path, Path]:
    """Return which image each output, of any kind, belongs to."""
    folder = destination.resolve()
    return {path: job.source for job in jobs for path in outputs.every(folder, job.name)}


def _refuse_outside(jobs: Sequence[Job], destination: Path) -> None:
    """Refuse outputs that a link inside the destination would lead out of it."""
    folder = destination.resolve()
    outside = {
        parent: resolved
        for parent in dict.fromkeys(job.name.parent for job in jobs)
        if not (resolved := (folder / parent).resolve()).is_relative_to(folder)
    }
    if outside:
        raise ConfigError(
            "outputs would leave the destination; nothing was done\n"
            + _lines([f"{shown(destination / parent)} leads to {shown(place)}" for parent, place in outside.items()]),
            remedy="remove the link, or choose another --to",
        )


def _separate_long_names(jobs: Sequence[Job], destination: Path, outputs: Outputs) -> tuple[list[Job], list[Refused]]:
    """Return the jobs whose outputs all have names that the file system takes, and the images of the others."""
    fitting, refused = [], []
    for job in jobs:
        longest = max(outputs.paths(destination, job.name), key=lambda path: len(os.fsencode(path.name)))
        if len(os.fsencode(longest.name)) <= _LONGEST_NAME:
            fitting.append(job)
        else:
            reason = f"the name of {shown(longest)} would be longer than {_LONGEST_NAME} bytes; rename the image"
            refused.append(Refused(job.source, f"{reason}, or leave this output out with --save"))
    return fitting, refused


def _separate_collisions(jobs: Sequence[Job], destination: Path, outputs: Outputs) -> tuple[list[Job], list[Refused]]:
    """Return the jobs whose outputs have names of their own, and the images of the others."""
    by_name: dict[str, list[Job]] = {}
    for job in jobs:
        by_name.setdefault(normal(str(job.name)), []).append(job)
    refused = [
        Refused(
            job.source,
            f"{' and '.join(shown(other.source) for other in group)} would both be written to"
            f" {shown(outputs.paths(destination, job.name)[0])}; rename one of them, or extract it in another call"
            " with another --to",
        )
        for group in by_name.values()
        if len(group) > 1
        for job in group
    ]
    return [group[0] for group in by_name.values() if len(group) == 1], refused


def _refuse_existing(jobs: Sequence[Job], destination: Path, outputs: Outputs) -> None:
    paths = (path for job in jobs for path in outputs.paths(destination, job.name))
    lines = [shown(path) for path in paths if os.path.lexists(path)]
    if lines:
        raise ConfigError(
            f"outputs exist already; nothing was done\n{_lines(lines)}",
            remedy="choose another --to, replace them with --overwrite, or do only what is missing with --resume",
        )


def _lines(lines: Sequence[str]) -> str:
    return "  " + listing(lines, between="\n  ")
