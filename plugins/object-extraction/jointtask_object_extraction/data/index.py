"""The index of a folder of images: what is known of every example, in columns, so that a start reads no file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import attrs
import numpy as np

from jointtask.api import Context, DataError
from jointtask.tools import CachedArrays, Columns, LazySequence, explained, open_cached, open_columns, write_columns
from jointtask_object_extraction.data.frames import FileExample, FrameDataset, digest_of, file_digest
from jointtask_object_extraction.data.members import Member
from jointtask_object_extraction.data.names import shown
from jointtask_object_extraction.data.pairing import Pair
from jointtask_object_extraction.photograph import Photograph
from jointtask_object_extraction.settings import ImageFolder

__all__ = ["Digests", "IndexedFrames", "folder_times", "index_path", "open_index", "save_index"]

VERSION = "image-folder index 1"
"""What an index holds, part of its name: raised whenever that changes."""

Stamp = tuple[int, int, int]
"""Size in bytes, time of the last change in nanoseconds and inode of a file."""

Make = Callable[[Pair, str, str], FileExample]
"""Makes an example of a pair of files, the digest of its image and its own digest."""

_NO_FILE: Stamp = (-1, -1, -1)


class Digests:
    """Digests of files by content; a file that is as it was when it was read last is not read again.

    What is read is noted at once beside the index, so that a process that is killed has not read it in vain.

    Parameters
    ----------
    path : pathlib.Path
        Path of the index.
    settings : ImageFolder
        The folders that it is of.
    """

    def __init__(self, path: Path, settings: ImageFolder) -> None:
        self._known: dict[str, tuple[Stamp, str]] = {}
        self._log = path.with_suffix(".read")
        self._lock = Lock()
        if columns := open_columns(path):
            self._known = _known(columns, settings)
        if self._log.exists():
            for line in self._log.read_text(encoding="utf-8").splitlines():
                try:
                    name, stamp, digest = json.loads(line)
                except ValueError:  # cut off where the process was killed
                    continue
                self._known[name] = tuple(stamp), digest
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._log.open("a", encoding="utf-8")

    def of(self, path: Path | Member) -> str:
        """Return the digest of a file's content; called from threads."""
        name, stamp = str(path), _stamp(path)
        if stamp != _NO_FILE and self._known.get(name, (None, ""))[0] == stamp:
            return self._known[name][1]
        digest = file_digest(path)
        with self._lock:
            self._known[name] = stamp, digest
            self._file.write(json.dumps([name, stamp, digest]) + "\n")
        return digest

    def entry(self, path: Path | Member | None) -> tuple[Stamp, str]:
        """Return the stamp and the digest of a file that `of` was asked for."""
        return (_NO_FILE, "") if path is None else self._known[str(path)]

    def __enter__(self) -> Digests:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._file.close()
        if kind is None:  # the index is written
            self._log.unlink(missing_ok=True)


class IndexedFrames(FrameDataset):
    """The data set of an index; nothing of an example is in memory.

    Parameters
    ----------
    columns : Columns
        The index.
    frames : CachedArrays
        The frames.
    names : sequence of str
        Names of the cached arrays that are a batch.
    settings : ImageFolder
        The folders.
    make : callable
        Maker of an example.
    """

    def __init__(
        self, columns: Columns, frames: CachedArrays, names: Sequence[str], settings: ImageFolder, make: Make
    ) -> None:
        self.ids = columns.texts["ids"]
        self.digests = columns.texts["digests"]
        self.input_digests = columns.texts["image_digests"]
        self.fingerprint = columns.facts["fingerprint"]
        self.notes = columns.facts["notes"]
        self.examples = LazySequence(range(len(self.ids)), self._make)
        self.frames = frames
        self.rows = columns.numbers["rows"]
        self._names = names
        self._columns = columns
        self._settings = settings
        self._make_example = make

    def example(self, index: int) -> Photograph:
        """Decode one example at its own size.

        Raises
        ------
        DataError
            If one of its files has another content than when it was indexed.
        """
        pair, stamps = self._pair(index), self._columns.numbers["stamps"][index]
        for path, stamp, digests in zip(
            (pair.image, pair.mask), stamps.tolist(), ("image_digests", "mask_digests"), strict=True
        ):
            if path is None or _stamp(path) == tuple(stamp):
                continue
            if file_digest(path) != self._columns.texts[digests][index]:
                raise DataError(
                    f"{shown(path)} was changed since it was indexed", remedy="run `jointtask data index` again"
                )
        return super().example(index)

    def _pair(self, row: int) -> Pair:
        return _pair(self._columns, self._settings, row)

    def _make(self, row: int) -> FileExample:
        texts = self._columns.texts
        return self._make_example(self._pair(row), texts["image_digests"][row], texts["digests"][row])


def index_path(settings: ImageFolder, context: Context, key: str = "") -> Path:
    """Return where the index of a data set is, which is known by its settings and by the content of its lists.

    `key` is the text of settings that these do not tell.
    """
    plain = attrs.evolve(settings, box_noise=0.0, wrong_boxes=0.0, box_seed=0)
    lists = [Path(name).expanduser() for name in (settings.ids, settings.without) if name]
    contents = [file_digest(path) if path.is_file() else "" for path in lists]
    return context.cache / "index" / f"{digest_of(VERSION, json.dumps(attrs.asdict(plain)), key, *contents)}.json"


def folder_times(settings: ImageFolder) -> dict[str, int]:
    """Return when something was last added to or removed from each folder, in nanoseconds, by its path.

    Of a tar file in a folder's place, when it was last written.
    """
    times: dict[str, int] = {}
    entered: set[tuple[int, int]] = set()
    waiting = [Path(folder).expanduser() for folder in (settings.images, settings.masks) if folder]
    while waiting:
        folder = waiting.pop()
        if not folder.exists():  # an error of its own, when the folders are listed
            continue
        status = folder.stat()
        if not folder.is_dir():
            times[str(folder)] = status.st_mtime_ns
            continue
        if (status.st_dev, status.st_ino) not in entered:
            entered.add((status.st_dev, status.st_ino))
            times[str(folder)] = status.st_mtime_ns
            with os.scandir(folder) as entries:
                waiting += [
                    Path(entry.path) for entry in entries if not entry.name.startswith(".") and _is_folder(entry)
                ]
    return times


def save_index(
    path: Path, dataset: FrameDataset, settings: ImageFolder, digests: Digests, folders: dict[str, int]
) -> None:
    """Write the index of a data set that was read.

    Parameters
    ----------
    path : pathlib.Path
        Path of the index.
    dataset : FrameDataset
        The data set.
    settings : ImageFolder
        Its folders.
    digests : Digests
        Digests of its files.
    folders : dict of str to int
        What `folder_times` gave before the folders were listed.
    """
    images, masks = (Path(folder).expanduser() for folder in (settings.images, settings.masks))
    pairs: list[Pair] = [example.pair for example in dataset.examples]  # type: ignore[attr-defined]
    stamps = [[digests.entry(pair.image)[0], digests.entry(pair.mask)[0]] for pair in pairs]
    texts = {
        "ids": dataset.ids,
        "images": (_place(pair.image, images) for pair in pairs),
        "masks": (_place(pair.mask, masks) for pair in pairs),
        "digests": dataset.digests,
        "image_digests": dataset.input_digests,
        "mask_digests": (digests.entry(pair.mask)[1] for pair in pairs),
    }
    numbers = {"rows": np.asarray(dataset.rows), "stamps": np.array(stamps, dtype=np.int64)}
    facts = {
        "fingerprint": dataset.fingerprint,
        "notes": [*dataset.notes],
        "folders": folders,
        "frames": dataset.frames.described(),
    }
    with explained(path.parent):
        write_columns(path, texts, numbers, facts, distinct=["ids"])


def open_index(
    settings: ImageFolder, context: Context, names: Sequence[str], make: Make, key: str = ""
) -> IndexedFrames | None:
    """Open the index of a data set; None where there is none, or its folders or the cache have changed since."""
    columns = open_columns(index_path(settings, context, key))
    if columns is None:
        return None
    for folder, time in columns.facts["folders"].items():
        try:
            unchanged = Path(folder).stat().st_mtime_ns == time
        except OSError:
            unchanged = False
        if not unchanged:
            context.progress.say(
                f"{shown(Path(folder))} was changed since it was indexed: read without the index, which"
                " `jointtask data index` makes anew"
            )
            return None
    frames = open_cached(context.cache / "frames", columns.facts["frames"])
    return None if frames is None else IndexedFrames(columns, frames, names, settings, make)


def _known(columns: Columns, settings: ImageFolder) -> dict[str, tuple[Stamp, str]]:
    """Return the stamp and the digest of each file of an index, by its path."""
    known: dict[str, tuple[Stamp, str]] = {}
    digests = zip(columns.texts["image_digests"], columns.texts["mask_digests"], strict=True)
    for row, (image, mask) in enumerate(digests):
        pair, stamps = _pair(columns, settings, row), columns.numbers["stamps"][row].tolist()
        known[str(pair.image)] = tuple(stamps[0]), image
        if pair.mask is not None:
            known[str(pair.mask)] = tuple(stamps[1]), mask
    return known


def _pair(columns: Columns, settings: ImageFolder, row: int) -> Pair:
    texts = columns.texts
    images, masks = (Path(folder).expanduser() for folder in (settings.images, settings.masks))
    mask = texts["masks"][row]
    return Pair(texts["ids"][row], _file(images, texts["images"][row]), _file(masks, mask) if mask else None)


def _place(file: Path | Member | None, folder: Path) -> str:
    """Return where a file is in a folder or a tar file, as text."""
    if file is None:
        return ""
    return file.place() if isinstance(file, Member) else str(file.relative_to(folder))


def _file(folder: Path, place: str) -> Path | Member:
    """Return the file at a place in a folder or in a tar file."""
    return folder / place if folder.is_dir() else Member.at(folder, place)


def _stamp(file: Path | Member) -> Stamp:
    try:
        status = (file.tar if isinstance(file, Member) else file).stat()
    except OSError:
        return _NO_FILE
    return file.size if isinstance(file, Member) else status.st_size, status.st_mtime_ns, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False
