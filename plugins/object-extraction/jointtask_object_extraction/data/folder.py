"""The data set `image-folder`: a folder of images and a folder of masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask.api import ConfigError, Context, DataError
from jointtask.tools import CachedArrays, FaultsError, cached_arrays
from jointtask_object_extraction.data.decode import DecodeError, decode
from jointtask_object_extraction.data.frames import EMPTY, FrameDataset, digest_of, file_digest, read_files, unusable
from jointtask_object_extraction.data.index import Digests, folder_times, index_path, open_index, save_index
from jointtask_object_extraction.data.masks import ENCODINGS, decode_mask, squash_mask
from jointtask_object_extraction.data.members import Member
from jointtask_object_extraction.data.notes import border_share, duplicate_notes, fact_notes, image_arrays
from jointtask_object_extraction.data.pairing import Listing, Pair, find_pairs, listed
from jointtask_object_extraction.data.perturbed_boxes import PerturbedBoxes
from jointtask_object_extraction.photograph import FRAME, Photograph
from jointtask_object_extraction.settings import ImageFolder

__all__ = ["FRAMES", "VERSION", "image_folder", "index_folder", "index_listing", "make_example", "read_pairs"]

VERSION = f"image-folder 2, frame {FRAME}"
"""How a file becomes a frame, part of every digest: raised whenever a file gives another frame than before."""

_ENCODINGS = tuple(ENCODINGS)
FRAMES = ("image", "mask")
"""Names of the cached arrays that are a batch."""

_FACTS = ("noted",)
_MASK_FACTS = ("share", "border", "encoding")


@frozen
class _Example:
    """A pair of files, by content."""

    pair: Pair
    max_pixels: int
    grey: bool
    image_digest: str
    digest: str

    @property
    def id(self) -> str:
        """The image's name."""
        return self.pair.id

    def photograph(self) -> Photograph:
        """Decode the pair at its own size."""
        return self.decode()[0]

    @property
    def empty(self) -> DecodeError:
        """The fault of an empty mask."""
        return DecodeError(Path(str(self.pair.mask or self.pair.image)), EMPTY)

    def decode(self) -> tuple[Photograph, int]:
        """Return the photograph, and the position of the mask's encoding in `ENCODINGS`."""
        decoded = decode(self.pair.image, self.max_pixels)
        mask, encoding = None, 0
        if self.pair.mask is not None:
            size = decoded.image.shape[:2]
            mask, kind = decode_mask(self.pair.mask, size, self.max_pixels, grey=self.grey)
            encoding = _ENCODINGS.index(kind)
        return Photograph(self.pair.id, decoded.image, mask, decoded.alpha, decoded.notes), encoding

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the frames, and the facts that notes are made from.

        These are the ones of `image_arrays`, the object's share of the image and of its border, and the encoding.
        """
        photograph, encoding = self.decode()
        arrays = image_arrays(photograph)
        if photograph.mask is not None:
            arrays["mask"] = squash_mask(photograph.mask).astype(np.uint8)
            arrays["share"] = np.array(photograph.mask.mean())
            arrays["border"] = np.array(border_share(photograph.mask))
            arrays["encoding"] = np.array(encoding, dtype=np.uint8)
        return arrays


def image_folder(settings: ImageFolder, context: Context) -> FrameDataset | PerturbedBoxes:
    """Read the folders, or their index; make the frames that are not in the cache yet.

    Parameters
    ----------
    settings : ImageFolder
        The folders, and which of their files are used.
    context : Context
        The cache, the workers and the progress display.

    Returns
    -------
    FrameDataset or PerturbedBoxes
        The examples in the order of their ids.

    Raises
    ------
    ConfigError
        If boxes are to be wrong and there are no masks to take the right ones from.
    DataError
        Everything that is wrong with the data, at once.
    RunError
        If the cache cannot be used.
    """
    perturbed = settings.box_noise > 0 or settings.wrong_boxes > 0
    if perturbed and not settings.masks:
        raise ConfigError("`box_noise` and `wrong_boxes` need masks", remedy="name the folder of `masks`")
    indexed = open_index(settings, context, FRAMES, partial(make_example, settings))
    dataset = read_pairs(find_pairs(settings), settings, context) if indexed is None else indexed
    if not perturbed:
        return dataset
    return PerturbedBoxes(dataset, noise=settings.box_noise, wrong=settings.wrong_boxes, seed=settings.box_seed)


def index_folder(settings: ImageFolder, context: Context) -> int:
    """Make the index that `image_folder` opens, and the frames; return the number of examples.

    Files that are as they were when they were indexed last are not read again. Errors are those of `image_folder`.
    """
    folders = folder_times(settings)
    return index_listing(find_pairs(settings), settings, context, folders=folders)


def index_listing(
    listing: Listing, settings: ImageFolder, context: Context, key: str = "", folders: dict[str, int] | None = None
) -> int:
    """Make the index of what was listed.

    Parameters
    ----------
    listing : Listing
        The examples.
    settings : ImageFolder
        The folders, or the tar file, that they were listed from.
    context : Context
        The cache, the workers and the progress display.
    key : str
        Text of the settings that the listing depends on beside these.
    folders : dict of str to int, optional
        What `folder_times` gave before the folders were listed.

    Returns
    -------
    int
        Number of examples.
    """
    path = index_path(settings, context, key)
    times = folder_times(settings) if folders is None else folders
    with Digests(path, settings) as digests:
        dataset = read_pairs(listing, settings, context, digests.of)
        save_index(path, dataset, settings, digests, times)
    return len(dataset)


def read_pairs(
    listing: Listing, settings: ImageFolder, context: Context, digest: Callable[[Path | Member], str] = file_digest
) -> FrameDataset:
    """Read what `find_pairs` listed, as `image_folder` does; `digest` gives the digest of a file's content."""
    examples, faults = _examples(listing.pairs, settings, context, digest)
    try:
        frames = _frames(examples, settings, context)
    except FaultsError as error:
        raise unusable(listing.problems, [*faults, *error.faults.values()]) from error

    notes = list(listing.notes)
    names = [*_FACTS, *(_MASK_FACTS if settings.masks else ())]
    facts = frames.batch(np.arange(len(examples)), names) if examples else {}
    rows = np.arange(len(examples))
    if "share" in facts:
        empty = [examples[row].empty for row in np.flatnonzero(facts["share"] == 0)]
        if settings.empty == "error":
            faults += empty
        elif empty:
            notes.append(f"skipped for their empty masks, {len(empty):,}: {listed(str(e.path) for e in empty)}")
        rows = np.flatnonzero(facts["share"] > 0)
    if listing.problems or faults:
        raise unusable(listing.problems, faults)
    if not len(rows):
        raise DataError("no example is left", cause="; ".join(notes))
    used = [examples[row] for row in rows]
    ids = [example.pair.id for example in used]
    notes += fact_notes(ids, {name: values[rows] for name, values in facts.items()})
    return FrameDataset(
        used, frames, rows, FRAMES, notes + duplicate_notes(ids, [example.image_digest for example in used])
    )


def _examples(
    pairs: Sequence[Pair], settings: ImageFolder, context: Context, digest: Callable[[Path | Member], str]
) -> tuple[list[_Example], list[DecodeError]]:
    version = f"{VERSION}, grey masks" if settings.encoding == "grey" else VERSION

    def read(pair: Pair) -> _Example:
        image = digest(pair.image)
        mask = "" if pair.mask is None else digest(pair.mask)
        return make_example(settings, pair, image, digest_of(version, image, mask))

    return read_files(pairs, read, context)


def make_example(settings: ImageFolder, pair: Pair, image_digest: str, digest: str) -> _Example:
    """Return the example of a pair of files of these digests."""
    return _Example(pair, settings.max_pixels, settings.encoding == "grey", image_digest, digest)


def _frames(examples: Sequence[_Example], settings: ImageFolder, context: Context) -> CachedArrays:
    def make(index: int) -> Mapping[str, NDArray[Any]]:
        arrays = examples[index].arrays()
        if settings.masks and settings.empty == "error" and arrays["share"] == 0:
            raise examples[index].empty
        return arrays

    return cached_arrays(
        context.cache / "frames",
        [example.digest for example in examples],
        make,
        workers=context.workers,
        progress=context.progress,
        label="decode images",
    )
