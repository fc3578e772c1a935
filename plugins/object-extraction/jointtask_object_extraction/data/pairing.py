"""Which image belongs to which mask: what can be said from names alone."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from attrs import frozen

from jointtask.api import DataError
from jointtask_object_extraction.data.decode import SUFFIXES
from jointtask_object_extraction.settings import ImageFolder

__all__ = ["JPEG", "Listing", "Pair", "find_pairs", "image_files", "some"]

JPEG = frozenset({".jpeg", ".jpg"})
"""What photographs usually are and masks should not be, among `SUFFIXES`."""

_SHOWN = 5


@frozen
class Pair:
    """An image and its mask.

    Attributes
    ----------
    id : str
        The image's path in its folder, without suffix, with forward slashes.
    image : pathlib.Path
        The image file.
    mask : pathlib.Path or None
        The mask file, if there is annotation.
    """

    id: str
    image: Path
    mask: Path | None


@frozen
class Listing:
    """What was found.

    Attributes
    ----------
    pairs : sequence of Pair
        By id, in order.
    problems : mapping of str to sequence of str
        Names by kind of problem; empty if all is well.
    notes : sequence of str
        What was decided and what is odd.
    images : int
        How many the folder holds, used or not.
    """

    pairs: Sequence[Pair]
    problems: Mapping[str, Sequence[str]]
    notes: Sequence[str]
    images: int


def some(names: Iterable[str]) -> str:
    """Name the first few, and count the rest."""
    names = list(names)
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def find_pairs(settings: ImageFolder) -> Listing:
    """List the examples that the settings ask for.

    Parameters
    ----------
    settings : ImageFolder
        The folders, the lists of ids and the limit.

    Returns
    -------
    Listing
        Its pairs are those without a problem.

    Raises
    ------
    DataError
        If a folder or a list of ids is missing, or there is no image at all.
    """
    images_folder, masks_folder = Path(settings.images).expanduser(), Path(settings.masks).expanduser()
    missing = [folder for folder in filter(None, (settings.images, settings.masks)) if not _is_folder(folder)]
    if missing:
        raise DataError(f"no such folder: {', '.join(missing)}", remedy="relative paths start at the working directory")
    shared = bool(settings.masks) and images_folder.samefile(masks_folder)
    images = image_files(images_folder, JPEG if shared else SUFFIXES)
    masks = image_files(masks_folder, SUFFIXES - JPEG if shared else SUFFIXES) if settings.masks else {}

    notes: list[str] = []
    problems: dict[str, list[str]] = defaultdict(list)
    wanted = sorted(images)
    if settings.ids:
        wanted, problems["id without an image"] = _listed(Path(settings.ids).expanduser(), images)
    if settings.without:
        excluded, _ = _listed(Path(settings.without).expanduser(), images)
        wanted, left = _split(wanted, set(excluded))
        notes.append(f"left out, listed in {settings.without}: {len(left):,}")
    if settings.masks and settings.unlabelled == "skip":
        unlabelled, wanted = _split(wanted, masks)
        notes += [f"left out, without a mask, {len(unlabelled):,}: {some(unlabelled)}"] if unlabelled else []
    if tuple(settings.part) != (0, 1):
        low, high = (round(edge * len(wanted)) for edge in settings.part)
        notes.append(f"the part {settings.part[0]:g} to {settings.part[1]:g} by a hash of the id: {high - low:,}")
        wanted = sorted(wanted, key=_shuffled)[low:high]
    chosen = sorted(wanted, key=_shuffled)[: settings.limit] if settings.limit else wanted

    pairs = []
    for id_ in sorted(chosen):
        if len(images[id_]) > 1:
            problems["more than one image of one name"].append(some(path.name for path in images[id_]))
        elif len(masks.get(id_, ())) > 1:
            problems["more than one mask of one name"].append(some(path.name for path in masks[id_]))
        elif settings.masks and id_ not in masks:
            problems["image without a mask"].append(id_)
        else:
            pairs.append(Pair(id_, images[id_][0], masks[id_][0] if settings.masks else None))

    notes.insert(0, f"{len(chosen):,} of the {len(images):,} images in {images_folder} asked for")
    if shared:
        notes.append("images and masks share a folder: JPEG files are the images, all others the masks")
    if alone := sorted(masks.keys() - images.keys()):
        notes.append(f"masks without an image, not used, {len(alone):,}: {some(alone)}")
    return Listing(pairs, {kind: names for kind, names in problems.items() if names}, notes, len(images))


def _is_folder(folder: str) -> bool:
    return Path(folder).expanduser().is_dir()


def _split(ids: Sequence[str], known: Container[str]) -> tuple[list[str], list[str]]:
    """Return the ids that are not known, and those that are."""
    return [id_ for id_ in ids if id_ not in known], [id_ for id_ in ids if id_ in known]


def _shuffled(id_: str) -> bytes:
    return blake2b(id_.encode()).digest()


def image_files(folder: Path, suffixes: frozenset[str] = SUFFIXES) -> dict[str, list[Path]]:
    """List files of these suffixes in depth, hidden ones aside, by path without suffix.

    Raises
    ------
    DataError
        If there is none, or a folder cannot be read.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    others: Counter[str] = Counter()
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(parent, name) for name in sorted(names) if not name.startswith(".")):
            if path.suffix.lower() in suffixes:
                found[path.relative_to(folder).with_suffix("").as_posix()].append(path)
            else:
                others[path.suffix.lower() or "no suffix"] += 1
    if not found:
        held = ", ".join(f"{count:,} {suffix}" for suffix, count in others.most_common(_SHOWN)) or "nothing"
        raise DataError(f"no image in {folder}", cause=f"it holds {held}; used are {', '.join(sorted(suffixes))}")
    return found


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be listed", cause=error.strerror or str(error)) from error


def _listed(path: Path, images: Mapping[str, Sequence[Path]]) -> tuple[list[str], list[str]]:
    """Read a list of ids, one a line, with or without suffix: those that have an image, and those that have none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the list of ids cannot be read", cause=str(error)) from error
    known: set[str] = set()
    unknown: list[str] = []
    for line in filter(None, map(str.strip, lines)):
        bare = str(Path(line).with_suffix("").as_posix()) if Path(line).suffix.lower() in SUFFIXES else line
        id_ = next((name for name in (line, bare) if name in images), None)
        if id_ is None:
            unknown.append(line)
        else:
            known.add(id_)
    return sorted(known), unknown
