"""Which prediction belongs to which ground-truth mask: what can be said from names alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import attrs
from attrs import field, frozen

from jointtask.api import ConfigError, DataError
from jointtask_object_extraction.data.formats import JPEG
from jointtask_object_extraction.data.names import Pairing, normal, pair_names, shown
from jointtask_object_extraction.data.pairing import by_name, listed, require_images
from jointtask_object_extraction.extract.outputs import ENDINGS

__all__ = ["Masks", "Predictions", "match", "require_folders"]

_MASK, _BOX = "-mask", "-box.json"  # as `jointtask extract` ends them
_SHOWN = 3


@frozen
class Masks:
    """What a folder of masks holds.

    Attributes
    ----------
    files : mapping of str to pathlib.Path
        The masks by id, in order.
    faults : sequence of str
        Names that have more than one file, and that stand for no mask therefore.
    notes : sequence of str
        Lines about what was decided and what was left out.
    """

    files: Mapping[str, Path]
    faults: Sequence[str] = ()
    notes: Sequence[str] = ()


@frozen
class Predictions:
    """The maps that a folder holds for the masks of another.

    Attributes
    ----------
    name : str
        Name in tables: the folder's name, or its path where two have the same name.
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
        Lines about what was decided and what was left out.
    faults : sequence of str
        Names with two candidates, which belong to no mask therefore.
    """

    name: str
    folder: Path
    maps: Mapping[str, Path]
    boxes: Mapping[str, Path]
    missing: Sequence[str]
    unmatched: Sequence[str]
    notes: Sequence[str]
    faults: Sequence[str] = field(factory=tuple)


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


def match(predictions: Sequence[Path], truth: Path) -> tuple[Masks, Sequence[Predictions]]:
    """Find the masks, and the maps of each folder that belong to them.

    Names are paths in their folder, without suffix; those of a folder are paired with the masks' all at once, by
    `pair_names`. Where names do not decide, the names that are open are faults, and the others are used.

    Parameters
    ----------
    predictions : sequence of pathlib.Path
        Folders that exist.
    truth : pathlib.Path
        Folder that exists.

    Returns
    -------
    masks : Masks
        The masks by id.
    predictions : sequence of Predictions
        The folders in the order given.

    Raises
    ------
    DataError
        If a folder holds no image, or no map of a folder belongs to a mask.
    """
    masks = _list(truth)
    names = [folder.resolve().name for folder in predictions]
    matched = [
        _match_one(name if names.count(name) == 1 else str(folder), folder, masks.files, truth)
        for name, folder in zip(names, predictions, strict=True)
    ]
    return masks, matched


def _match_one(name: str, folder: Path, masks: Mapping[str, Path], truth: Path) -> Predictions:
    maps = _list(folder)
    pairing = pair_names(masks, maps.files)
    if not pairing.partner and not pairing.ambiguous:
        raise DataError(
            f"no file in {shown(folder)} belongs to a mask in {shown(truth)}",
            cause=f"here they are called {_first(maps.files)}; there {_first(masks)}",
            remedy="give predictions the names of their masks; a beginning or ending that all share does not matter",
        )
    bare = {map_.removesuffix(_MASK) for map_ in pairing.partner.values()}
    own = {stem + Path(ending).stem for stem in bare for ending in ENDINGS.values()}
    open_ = {map_ for candidates in pairing.ambiguous.values() for map_ in candidates}
    return Predictions(
        name,
        folder,
        {id_: maps.files[pairing.partner[id_]] for id_ in masks if id_ in pairing.partner},
        _boxes(folder, pairing),
        missing=[id_ for id_ in masks if id_ not in pairing.partner],
        unmatched=sorted(maps.files.keys() - set(pairing.partner.values()) - own - open_),
        notes=[*maps.notes, *_rule_notes(pairing)],
        faults=[*maps.faults, *map(_open, pairing.ambiguous.items())],
    )


def _boxes(folder: Path, pairing: Pairing) -> dict[str, Path]:
    """Return the files of boxes in a folder, by the ids of the masks; they are paired as maps are."""
    files = _box_files(folder)
    boxes = pair_names(pairing.partner.keys(), files)
    return {id_: files[stem] for id_, stem in boxes.partner.items()}


def _box_files(folder: Path) -> dict[str, Path]:
    return {
        normal(path.relative_to(folder).as_posix().removesuffix(_BOX)): path
        for path in folder.rglob(f"*{_BOX}")
        if path.is_file()
    }


def _list(folder: Path) -> Masks:
    """List the masks or maps of a folder by name; beside a file of another kind, a JPEG is the photograph."""
    content = require_images(folder)
    boxes = Counter({".json": len(_box_files(folder))})
    content = attrs.evolve(content, others=content.others - boxes)
    files: dict[str, Path] = {}
    twice, beside = [], []
    for name, paths in sorted(by_name(folder, content.images).items()):
        kept = paths if len(paths) == 1 else [path for path in paths if path.suffix.lower() not in JPEG]
        if len(kept) != 1:
            files_ = " and ".join(shown(path) for path in paths)
            twice.append(f"{files_}: more than one file of one name (remove or rename all but one)")
            continue
        files[name] = kept[0]
        if len(paths) > 1:
            beside.append(name)
    notes = [content.left_out] if content.left_out else []
    if beside:
        notes.append(f"JPEG files beside others of their name, not used, {len(beside):,}: {listed(beside)}")
    return Masks(files, twice, notes)


def _rule_notes(pairing: Pairing) -> list[str]:
    if not pairing.rule or pairing.affix == ("", _MASK):
        return []
    return [f"{'masks' if pairing.reverse else 'predictions'} read {pairing.rule}"]


def _open(candidates: tuple[str, Sequence[str]]) -> str:
    id_, names = candidates
    return f"{shown(id_)}: names do not decide which map is its own ({' or '.join(map(shown, names))}); rename one"


def _first(names: Collection[str]) -> str:
    return ", ".join(map(shown, sorted(names)[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
