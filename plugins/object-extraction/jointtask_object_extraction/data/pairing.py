"""Which image belongs to which mask: what can be said from names alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from attrs import frozen

from jointtask.api import DataError, name_bytes
from jointtask.tools.text import listing
from jointtask_object_extraction.data.formats import JPEG, SUFFIXES
from jointtask_object_extraction.data.listing import FolderContent, list_folder
from jointtask_object_extraction.data.members import Member
from jointtask_object_extraction.data.names import is_mask_name, normal, pair_names, shown
from jointtask_object_extraction.data.textfile import read_lines
from jointtask_object_extraction.settings import ImageFolder, Selection

__all__ = ["Files", "Listing", "Pair", "by_name", "find_pairs", "in_lists", "listed", "require_images", "sampled"]

Files = Mapping[str, Sequence[Path]]


@frozen
class Pair:
    """An image and its mask.

    Attributes
    ----------
    id : str
        The image's path in its folder, without suffix, with forward slashes, in Unicode's composed form (NFC).
    image : pathlib.Path or Member
        The image file.
    mask : pathlib.Path, Member or None
        The mask file, if there is annotation.
    """

    id: str
    image: Path | Member
    mask: Path | Member | None


@frozen
class Listing:
    """The examples of a data set, as their names tell.

    Attributes
    ----------
    pairs : sequence of Pair
        The pairs without a problem, in the order of their ids.
    problems : mapping of str to sequence of str
        Names by kind of problem; empty if all is well.
    notes : sequence of str
        Lines about what was decided and what is odd.
    images : int
        Number of images that the folder holds, used or not.
    """

    pairs: Sequence[Pair]
    problems: Mapping[str, Sequence[str]]
    notes: Sequence[str]
    images: int


def listed(names: Iterable[object]) -> str:
    """Name the first few, and count the rest."""
    return listing([shown(name) for name in names])


def find_pairs(settings: ImageFolder) -> Listing:
    """List the examples that the settings ask for.

    Parameters
    ----------
    settings : ImageFolder
        The folders, the lists of ids and the limit.

    Returns
    -------
    Listing

    Raises
    ------
    DataError
        If a folder or a list of ids is missing, or there is no image at all.
    """
    images, masks, notes = _files(settings)
    total = len(images)
    pairing = pair_names(images, masks)
    problems: dict[str, list[str]] = defaultdict(list)
    images = in_lists(settings, images, problems, notes)
    wanted = sorted(images)
    if settings.masks and settings.unlabelled == "skip":
        unlabelled, wanted = _split(wanted, {*pairing.partner, *pairing.ambiguous})
        notes += [f"left out, without a mask, {len(unlabelled):,}: {listed(unlabelled)}"] if unlabelled else []
    chosen = sampled(settings, wanted, notes)

    pairs = []
    for id_ in chosen:
        candidates = masks.get(pairing.partner.get(id_, ""), ())
        if len(images[id_]) > 1:
            problems["more than one image of one name"].append(listed(path.name for path in images[id_]))
        elif id_ in pairing.ambiguous:
            problems["mask that names do not decide"].append(
                f"{shown(id_)} ({' or '.join(map(shown, pairing.ambiguous[id_]))})"
            )
        elif len(candidates) > 1:
            problems["more than one mask of one name"].append(listed(path.name for path in candidates))
        elif settings.masks and not candidates:
            problems["image without a mask"].append(shown(id_))
        else:
            pairs.append(Pair(id_, images[id_][0], candidates[0] if candidates else None))

    if pairing.rule:
        notes.append(f"{'images' if pairing.reverse else 'masks'} read {pairing.rule}")
    used = {*pairing.partner.values(), *(name for names in pairing.ambiguous.values() for name in names)}
    if alone := sorted(masks.keys() - used):
        notes.append(f"masks without an image, not used, {len(alone):,}: {listed(alone)}")
    notes.insert(0, f"{len(chosen):,} of the {total:,} images in {shown(Path(settings.images).expanduser())} asked for")
    return Listing(pairs, {kind: names for kind, names in problems.items() if names}, notes, total)


def in_lists(settings: Selection, images: Files, problems: dict[str, list[str]], notes: list[str]) -> Files:
    """Return the images that the lists `ids` and `without` leave; add what is wrong and what was decided."""
    if settings.ids:
        images = _chosen(Path(settings.ids).expanduser(), images, problems)
    if settings.without:
        images, count = _remaining(Path(settings.without).expanduser(), images)
        notes.append(f"left out, listed in {shown(settings.without)}: {count:,}")
    return images


def sampled(settings: Selection, ids: Sequence[str], notes: list[str]) -> list[str]:
    """Return the ids, in order, that `part` and `limit` leave; add what was decided."""
    wanted = list(ids)
    if tuple(settings.part) != (0, 1):
        low, high = (round(edge * len(wanted)) for edge in settings.part)
        notes.append(f"the part {settings.part[0]:g} to {settings.part[1]:g} by a hash of the id: {high - low:,}")
        wanted = sorted(wanted, key=_hash)[low:high]
    return sorted(sorted(wanted, key=_hash)[: settings.limit] if settings.limit else wanted)


def require_images(folder: Path) -> FolderContent:
    """List the images of a folder, as `list_folder` does.

    Raises
    ------
    DataError
        If there is none, or a folder cannot be read.
    """
    content = list_folder(folder)
    if not content.images:
        raise DataError(
            f"no image in {shown(folder)}",
            cause=f"{content.left_out or 'it holds nothing'}; used are {', '.join(sorted(SUFFIXES))}",
        )
    return content


def by_name(folder: Path, files: Iterable[Path]) -> dict[str, list[Path]]:
    """Return the files of a folder by their paths in it, without suffix, with forward slashes, in `normal` form."""
    named: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        named[normal(path.relative_to(folder).with_suffix("").as_posix())].append(path)
    return named


def _files(settings: ImageFolder) -> tuple[Files, Files, list[str]]:
    """Return the images and the masks by name, and notes on what was left out and decided."""
    missing = [folder for folder in (settings.images, settings.masks) if folder and not _is_folder(folder)]
    if missing:
        raise DataError(
            f"no such folder: {', '.join(map(shown, missing))}", remedy="relative paths start at the working directory"
        )
    folder, mask_folder = Path(settings.images).expanduser(), Path(settings.masks).expanduser()
    content = require_images(folder)
    notes = [f"{shown(folder)}: {content.left_out}"] if content.left_out else []
    images: Files = by_name(folder, content.images)
    if not settings.masks:
        return images, {}, notes
    if folder.samefile(mask_folder):
        images, masks, note = _separate(folder, images)
        return images, masks, [*notes, note]
    mask_content = require_images(mask_folder)
    notes += [f"{shown(mask_folder)}: {mask_content.left_out}"] if mask_content.left_out else []
    return images, by_name(mask_folder, mask_content.images), notes


def _separate(folder: Path, files: Files) -> tuple[Files, Files, str]:
    """Tell images from masks in one folder, by their suffixes or by their names, whichever pairs more of them."""
    paths = [path for same in files.values() for path in same]

    def split(masks: Container[Path], note: str) -> tuple[Files, Files, str]:
        images = by_name(folder, [path for path in paths if path not in masks])
        chosen = by_name(folder, [path for path in paths if path in masks])
        return images, chosen, f"images and masks share a folder: {note}"

    splits = [
        split(
            {path for path in paths if path.suffix.lower() not in JPEG},
            "JPEG files are the images, all others the masks",
        ),
        split(
            {path for path in paths if is_mask_name(path.stem)},
            "files whose names say so are the masks, all others the images",
        ),
    ]
    images, masks, note = max(splits, key=lambda one: len(pair_names(one[0], one[1]).partner))
    if not images or not masks:
        raise DataError(
            f"no image and mask of one name in {shown(folder)}",
            cause="images and masks share a folder, and neither suffixes (.jpg) nor names (a_mask) tell them apart",
            remedy="put the masks into a folder of their own, or call them NAME_mask.png",
        )
    return images, masks, note


def _is_folder(folder: str) -> bool:
    return Path(folder).expanduser().is_dir()


def _split(ids: Sequence[str], known: Container[str]) -> tuple[list[str], list[str]]:
    """Return the ids that are not known, and those that are."""
    return [id_ for id_ in ids if id_ not in known], [id_ for id_ in ids if id_ in known]


def _hash(id_: str) -> bytes:
    return blake2b(name_bytes(id_)).digest()


def _chosen(path: Path, images: Files, problems: dict[str, list[str]]) -> Files:
    """Return the images that a list names; where several have one name, the files that its lines name with suffix."""
    lines = _in_list(path, images, problems)
    kept = {}
    for id_, suffixes in lines.items():
        files = [file for file in images[id_] if file.suffix.lower() in suffixes]
        kept[id_] = files or images[id_]
    return kept


def _remaining(path: Path, images: Files) -> tuple[Files, int]:
    """Return the images without those that a list names, and how many it names.

    Where several have one name, a line with a suffix leaves out that file alone.
    """
    lines = _in_list(path, images, defaultdict(list))  # a line that leaves nothing out does no harm
    kept = {id_: files for id_, files in images.items() if id_ not in lines}
    for id_, suffixes in lines.items():
        files = [file for file in images[id_] if file.suffix.lower() not in suffixes]
        if suffixes and 0 < len(files) < len(images[id_]):
            kept[id_] = files
    return kept, len(lines)


def _in_list(path: Path, images: Files, problems: dict[str, list[str]]) -> dict[str, set[str]]:
    """Read a list of ids, one a line: the suffixes (in lower case) that its lines have, by id.

    Lines may be ids or names of files; all are read in the one way that finds more images. Lines without an image, and
    lines that are an id in one way and a file in the other where both find as many, are added to `problems`.
    """
    lines = [normal(line) for line in read_lines(path, "list of ids")]
    lines = [line if line in images else line.replace("\\", "/").removeprefix("./") for line in lines]
    as_ids = {line: line for line in lines if line in images}
    bare = {line: Path(line).with_suffix("").as_posix() for line in lines if Path(line).suffix.lower() in SUFFIXES}
    as_files = {line: id_ for line, id_ in bare.items() if id_ in images}
    if not as_ids and not as_files:
        pairing = pair_names(images, {bare.get(line, line) for line in lines})
        by_line = {name: id_ for id_, name in pairing.partner.items()}
        as_ids = {line: by_line[bare.get(line, line)] for line in lines if bare.get(line, line) in by_line}
    suffixes: dict[str, set[str]] = defaultdict(set)
    for line in dict.fromkeys(lines):
        if line in as_ids and line in as_files and len(as_ids) == len(as_files):
            problems["id that fits two images"].append(
                f"{shown(line)} ({listed(file.name for id_ in (as_ids[line], as_files[line]) for file in images[id_])})"
            )
        elif line in as_files and (line not in as_ids or len(as_files) > len(as_ids)):
            suffixes[as_files[line]].add(Path(line).suffix.lower())
        elif line in as_ids:
            suffixes[as_ids[line]] |= set()
        else:
            problems["id without an image"].append(shown(line))
    return suffixes
