"""The data set `image-shards`: images and masks in tar files, as WebDataset writes them."""

from __future__ import annotations

import glob
from collections import defaultdict
from functools import partial
from pathlib import Path

from jointtask.api import Context, DataError, ShardedDataset
from jointtask_object_extraction.data.folder import FRAMES, index_listing, make_example, read_pairs
from jointtask_object_extraction.data.frames import FrameDataset
from jointtask_object_extraction.data.index import open_index
from jointtask_object_extraction.data.members import Member, list_members
from jointtask_object_extraction.data.names import normal, shown
from jointtask_object_extraction.data.pairing import Listing, Pair, listed
from jointtask_object_extraction.settings import ImageFolder, ImageShards

__all__ = ["image_shards", "index_shards"]


def image_shards(settings: ImageShards, context: Context) -> ShardedDataset:
    """Read the tar files, or their indexes; make the frames that are not in the cache yet.

    Parameters
    ----------
    settings : ImageShards
        The tar files, and which of their files are images and masks.
    context : Context
        The cache, the workers and the progress display.

    Returns
    -------
    ShardedDataset
        A shard a tar file, in the order of their names; an id is the tar file's stem and the example's key.

    Raises
    ------
    DataError
        Everything that is wrong with the first tar file that has a fault.
    """
    return _Shards([_read(path, settings, context) for path in _tar_files(settings)])


def index_shards(settings: ImageShards, context: Context) -> int:
    """Make the index of every tar file that has none or was changed; return the number of examples."""
    count = 0
    for path in _tar_files(settings):
        shard = _opened(path, settings, context)
        folder = _folder(path, settings)
        count += index_listing(_list(path, settings), folder, context, _key(settings)) if shard is None else len(shard)
    return count


class _Shards(ShardedDataset):
    """Shards whose notes are told once: those of thousands are much alike."""

    def __init__(self, shards: list[FrameDataset]) -> None:
        super().__init__(shards)
        notes = list(dict.fromkeys(self.notes))
        more = [f"and {len(notes) - _NOTES} more notes on single shards"] if len(notes) > _NOTES else []
        self.notes = (f"{len(shards):,} shards", *notes[:_NOTES], *more)


_NOTES = 20


def _tar_files(settings: ImageShards) -> list[Path]:
    """Return the tar files, in the order of their names."""
    pattern = str(Path(settings.shards).expanduser())
    paths = sorted(Path(pattern).glob("*.tar")) if Path(pattern).is_dir() else sorted(map(Path, glob.glob(pattern)))  # noqa: PTH207 - an absolute pattern
    if not paths:
        raise DataError(
            f"no tar file in {shown(pattern)}",
            remedy="name a folder of tar files (.tar), or a pattern such as '/data/train-*.tar'",
        )
    return paths


def _read(path: Path, settings: ImageShards, context: Context) -> FrameDataset:
    shard = _opened(path, settings, context)
    return read_pairs(_list(path, settings), _folder(path, settings), context) if shard is None else shard


def _opened(path: Path, settings: ImageShards, context: Context) -> FrameDataset | None:
    folder = _folder(path, settings)
    return open_index(folder, context, FRAMES, partial(make_example, folder), _key(settings))


def _folder(path: Path, settings: ImageShards) -> ImageFolder:
    """Return the settings of a tar file, as those of a folder."""
    masks = str(path) if settings.mask else ""
    return ImageFolder(
        images=str(path),
        masks=masks,
        encoding=settings.encoding,
        empty=settings.empty,
        max_pixels=settings.max_pixels,
    )


def _key(settings: ImageShards) -> str:
    return " ".join([*settings.image, "mask", settings.mask])


def _list(path: Path, settings: ImageShards) -> Listing:
    """List the examples of a tar file: files of one key, which is a path up to the first dot of its name."""
    images: dict[str, list[Member]] = defaultdict(list)
    masks: dict[str, list[Member]] = defaultdict(list)
    others = 0
    for member in list_members(path):
        folder, _, name = member.name.rpartition("/")
        stem, _, extension = name.partition(".")
        key = normal(f"{path.stem}/{folder}/{stem}" if folder.strip("./") else f"{path.stem}/{stem}")
        if settings.mask and extension.lower() == settings.mask:
            masks[key].append(member)
        elif extension.lower() in settings.image:
            images[key].append(member)
        else:
            others += 1
    problems: dict[str, list[str]] = defaultdict(list)
    pairs = []
    for key in sorted(images):
        if len(images[key]) > 1:
            problems["more than one image of one key"].append(shown(key))
        elif settings.mask and not masks[key]:
            problems["image without a mask"].append(shown(key))
        elif len(masks[key]) > 1:
            problems["more than one mask of one key"].append(shown(key))
        else:
            pairs.append(Pair(key, images[key][0], masks[key][0] if settings.mask else None))
    if not images:
        raise DataError(
            f"no image in {shown(path)}", cause=f"none of its {others:,} files ends in {' or '.join(settings.image)}"
        )
    notes = []
    if others:
        notes.append("files that are neither image nor mask are left out")
    if alone := sorted(masks.keys() - images.keys()):
        notes.append(f"masks without an image, not used, {len(alone):,}: {listed(alone)}")
    return Listing(pairs, dict(problems), notes, len(images))
