"""The one rule of what is read from a folder, and the one line that says what was left out."""

from __future__ import annotations

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import field, frozen

from jointtask.api import DataError
from jointtask.tools.text import listing
from jointtask_object_extraction.data.formats import SUFFIXES, why_unread
from jointtask_object_extraction.data.names import shown

__all__ = ["FolderContent", "list_files", "list_folder"]


@frozen
class FolderContent:
    """What a folder holds, in depth.

    Attributes
    ----------
    images : sequence of pathlib.Path
        Image files; files by name before subfolders by name, linked subfolders last.
    unread : sequence of (pathlib.Path, str)
        Pictures of a kind that is not read, with what to do about them.
    special : sequence of pathlib.Path
        Pipes, devices, sockets and broken links; they are never opened.
    repeated : sequence of pathlib.Path
        Linked subfolders that lead to a folder that is searched anyway.
    hidden : int
        Number of files and folders whose names begin with a dot.
    others : mapping of str to int
        Numbers of other files by suffix.
    """

    images: Sequence[Path]
    unread: Sequence[tuple[Path, str]] = ()
    special: Sequence[Path] = ()
    repeated: Sequence[Path] = ()
    hidden: int = 0
    others: Counter[str] = field(factory=Counter)

    @property
    def left_out(self) -> str:
        """One line that says what was left out, "" for nothing."""
        parts = []
        by_kind: dict[tuple[str, str], list[Path]] = defaultdict(list)
        for path, remedy in self.unread:
            by_kind[path.suffix.lower(), remedy].append(path)
        for (suffix, remedy), paths in sorted(by_kind.items()):
            parts.append(f"{len(paths):,} {suffix} ({_names(paths)}; to read {_it(paths)}: {remedy})")
        if self.special:
            parts.append(f"{len(self.special):,} that {_are(self.special)} no regular file ({_names(self.special)})")
        if self.repeated:
            parts.append(f"{len(self.repeated):,} linked again ({_names(self.repeated)})")
        parts += [f"{count:,} {suffix}" for suffix, count in self.others.most_common()]
        parts += [f"{self.hidden:,} hidden"] if self.hidden else []
        return f"left out: {', '.join(parts)}" if parts else ""


def list_folder(folder: Path, *, apart: Path | None = None) -> FolderContent:
    """List the images of a folder and all its subfolders.

    Hidden files and folders are not read. A linked subfolder is searched once, after all that are not linked; one that
    leads to a folder that is searched anyway, or to a folder around itself, is named and not searched. What is no
    regular file, or a link to none, is named and not opened.

    Parameters
    ----------
    folder : pathlib.Path
        Folder that exists.
    apart : pathlib.Path, optional
        A folder that is not searched where it lies inside.

    Raises
    ------
    DataError
        If a folder cannot be read.
    """
    images: list[Path] = []
    unread: list[tuple[Path, str]] = []
    special: list[Path] = []
    others: Counter[str] = Counter()
    hidden = 0
    walk = _Walk(apart)
    for entry in walk.files(folder):
        path = Path(entry.path)
        suffix = path.suffix.lower()
        if entry.name.startswith("."):
            hidden += 1
        elif not _regular(entry):
            special.append(path)
        elif remedy := why_unread(suffix):
            unread.append((path, remedy))
        elif suffix in SUFFIXES:
            images.append(path)
        else:
            others[suffix or "without suffix"] += 1
    return FolderContent(images, unread, special, walk.repeated, hidden + walk.hidden, others)


def list_files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """List the regular files of some suffixes (in lower case) of a folder, as `list_folder` searches it."""
    return [
        Path(entry.path)
        for entry in _Walk(None).files(folder)
        if Path(entry.name).suffix.lower() in suffixes and not entry.name.startswith(".") and _regular(entry)
    ]


class _Walk:
    """A walk through a folder in depth that enters every folder once.

    Parameters
    ----------
    apart : pathlib.Path or None
        A folder that is not entered.
    """

    def __init__(self, apart: Path | None) -> None:
        self.repeated: list[Path] = []
        self.hidden = 0
        self._entered: set[tuple[int, int]] = set()
        self._apart = _identity(apart) if apart is not None else None

    def files(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        """Yield everything in the folder that is no folder."""
        links: list[Path] = []
        if self._apart == _identity(folder):  # only what lies inside is set apart
            self._apart = None
        yield from self._real(folder, links)
        while links:
            link = links.pop(0)
            identity = _identity(link)
            if identity in self._entered:
                self.repeated.append(link)
            elif identity is not None and identity != self._apart:
                yield from self._real(link, links)

    def _real(self, folder: Path, links: list[Path]) -> Iterator[os.DirEntry[str]]:
        identity = _identity(folder)
        if identity is not None and (identity in self._entered or identity == self._apart):
            return
        if identity is not None:
            self._entered.add(identity)
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"{shown(folder)}: cannot be listed", cause=error.strerror or str(error)) from error
        below = []
        for entry in entries:
            if not _is_folder(entry):
                yield entry
            elif entry.name.startswith("."):
                self.hidden += 1
            elif entry.is_symlink():
                links.append(Path(entry.path))
            else:
                below.append(Path(entry.path))
        for path in below:
            yield from self._real(path, links)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _regular(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:  # a link that leads nowhere
        return False


def _names(paths: Sequence[Path]) -> str:
    return listing([shown(path.name) for path in paths], 3)


def _it(paths: Sequence[Path]) -> str:
    return "it" if len(paths) == 1 else "them"


def _are(paths: Sequence[Path]) -> str:
    return "is" if len(paths) == 1 else "are"
