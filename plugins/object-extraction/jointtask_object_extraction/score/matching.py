"""Which prediction belongs to which ground-truth mask: what can be said from names alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from jointtask.api import ConfigError, DataError
from jointtask_object_extraction.data.pairing import JPEG, image_files, some
from jointtask_object_extraction.extract.outputs import ENDINGS

__all__ = ["Predictions", "match", "require_folders"]

_MASK, _BOX = "-mask", "-box.json"  # as `jointtask extract` ends them
_SHOWN = 3
_TRIED = 20  # names that an ending or beginning is looked for in; then it must hold for all


@frozen
class Predictions:
    """What a folder holds for the masks of another.

    Attributes
    ----------
    name : str
        What the tables call it: the folder's name, or its path where two have the same name.
    folder : pathlib.Path
        The folder.
    maps : mapping of str to pathlib.Path
        The map for a mask, by the mask's id.
    boxes : mapping of str to pathlib.Path
        The file of the box, where there is one beside the map.
    missing : sequence of str
        Ids of masks that there is no map for.
    unmatched : sequence of str
        Maps that there is no mask for.
    notes : sequence of str
        What was decided.
    """

    name: str
    folder: Path
    maps: Mapping[str, Path]
    boxes: Mapping[str, Path]
    missing: Sequence[str]
    unmatched: Sequence[str]
    notes: Sequence[str]


def require_folders(predictions: Sequence[Path], truth: Path) -> None:
    """See that folders can be scored against a folder of masks.

    Raises
    ------
    ConfigError
        If one is no folder, or two are the same.
    """
    for folder in [*predictions, truth]:
        if not folder.is_dir():
            what = "is a file, not a folder" if folder.exists() else "no such folder"
            raise ConfigError(f"{folder}: {what}", remedy="name folders of images: jointtask score PRED... GT")
    for position, folder in enumerate(predictions):
        if folder.samefile(truth):
            raise ConfigError(
                f"{folder} is both prediction and ground truth",
                cause="a folder scored against itself is right everywhere",
                remedy="name two folders: jointtask score PRED GT",
            )
        if any(folder.samefile(other) for other in predictions[:position]):
            raise ConfigError(f"{folder} is given twice", remedy="name each folder of predictions once")


def match(predictions: Sequence[Path], truth: Path) -> tuple[Mapping[str, Path], Sequence[Predictions], Sequence[str]]:
    """Find the masks, and the maps of each folder that belong to them.

    Names are paths in their folder, without suffix. A map has the name of its mask, or that and ``-mask``, as
    `jointtask extract` writes it. A folder where no map has is tried without an ending or beginning that all of its
    names share; then the masks are.

    Parameters
    ----------
    predictions : sequence of pathlib.Path
        Folders that exist.
    truth : pathlib.Path
        Folder that exists.

    Returns
    -------
    masks : mapping of str to pathlib.Path
        By id, in order.
    predictions : sequence of Predictions
        As given.
    notes : sequence of str
        What was decided about the masks.

    Raises
    ------
    DataError
        If a folder holds no image, two files of one name, or no map of a folder belongs to a mask.
    """
    masks, notes = _listed(truth)
    names = [folder.resolve().name for folder in predictions]
    found = [
        _match_one(name if names.count(name) == 1 else str(folder), folder, masks, truth)
        for name, folder in zip(names, predictions, strict=True)
    ]
    return masks, found, notes


def _match_one(name: str, folder: Path, masks: Mapping[str, Path], truth: Path) -> Predictions:
    maps, notes = _listed(folder)
    found, note = _pairs(maps, masks)
    if not found:
        raise DataError(
            f"no file in {folder} belongs to a mask in {truth}",
            cause=f"here they are called {_first(maps)}; there {_first(masks)}",
            remedy="give predictions the names of their masks; a beginning or ending that all share does not matter",
        )
    own = {map_.removesuffix(_MASK) + Path(ending).stem for map_ in found.values() for ending in ENDINGS.values()}
    boxes = {
        id_: path
        for id_, map_ in found.items()
        for stem in dict.fromkeys([map_, map_.removesuffix(_MASK)])
        if (path := folder / f"{stem}{_BOX}").is_file()
    }
    return Predictions(
        name,
        folder,
        {id_: maps[found[id_]] for id_ in masks if id_ in found},
        boxes,
        missing=[id_ for id_ in masks if id_ not in found],
        unmatched=sorted(maps.keys() - set(found.values()) - own),
        notes=[*notes, *filter(None, [note])],
    )


def _listed(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """List the masks or maps of a folder by name; beside a file of another kind, a JPEG is the photograph."""
    listed: dict[str, Path] = {}
    twice, beside = [], []
    for name, paths in sorted(image_files(folder).items()):
        kept = paths if len(paths) == 1 else [path for path in paths if path.suffix.lower() not in JPEG]
        if len(kept) != 1:
            twice.append(" and ".join(str(path) for path in paths))
            continue
        listed[name] = kept[0]
        if len(paths) > 1:
            beside.append(name)
    if twice:
        raise DataError(f"more than one file of one name, {len(twice):,}: {some(twice)}", remedy="remove one of each")
    return listed, [f"JPEG files beside others of their name, not used, {len(beside):,}: {some(beside)}"] * bool(beside)


def _pairs(maps: Collection[str], masks: Collection[str]) -> tuple[dict[str, str], str]:
    """Return the name of the map by the name of the mask, and what had to be decided for it."""
    exact = {id_: name for id_ in masks for name in (id_ + _MASK, id_) if name in maps}  # the last one wins
    if exact:
        return exact, ""
    if affix := _affix(maps, masks):
        bare = {_strip(name, affix): name for name in maps}
        return {id_: bare[id_] for id_ in masks if id_ in bare}, f"predictions read {_without(affix)}"
    if affix := _affix(masks, maps):
        return {id_: name for id_ in masks if (name := _strip(id_, affix)) in maps}, f"masks read {_without(affix)}"
    return {}, ""


def _affix(names: Collection[str], stems: Collection[str]) -> tuple[str, str] | None:
    """Return the beginning and ending of all names that leaves the most stems, and of these the shortest."""
    known = set(stems)
    tried = {
        (name[:at], name[at + len(stem) :])
        for name in sorted(names)[:_TRIED]
        for stem in known
        if (at := name.find(stem)) >= 0
    }
    votes = Counter(
        {
            affix: sum(_strip(name, affix) in known for name in names)
            for affix in tried
            if all(
                name.startswith(affix[0]) and name.endswith(affix[1]) and len(name) > sum(map(len, affix))
                for name in names
            )
        }
    )
    return min(votes, key=lambda affix: (-votes[affix], sum(map(len, affix)), affix), default=None)


def _strip(name: str, affix: tuple[str, str]) -> str:
    return name[len(affix[0]) : len(name) - len(affix[1])]


def _without(affix: tuple[str, str]) -> str:
    start, end = affix
    parts = [f"the beginning '{start}'"] * bool(start) + [f"the ending '{end}'"] * bool(end)
    return f"without {' and '.join(parts)} of all their names"


def _first(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
