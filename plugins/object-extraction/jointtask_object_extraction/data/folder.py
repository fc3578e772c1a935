"""The data set `image-folder`: a folder of images and a folder of masks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import frozen
from numpy.typing import NDArray
from torch import Tensor

from jointtask.api import ConfigError, Context, DataError, name_bytes
from jointtask.tools import CachedArrays, FaultsError, cached_arrays
from jointtask_object_extraction.data.colour import BROKEN, CONVERTED
from jointtask_object_extraction.data.decode import DecodeError, decode, squash
from jointtask_object_extraction.data.masks import ENCODINGS, decode_mask, squash_mask
from jointtask_object_extraction.data.names import shown
from jointtask_object_extraction.data.notes import border_share, duplicate_notes, fact_notes
from jointtask_object_extraction.data.pairing import Listing, Pair, find_pairs, listed
from jointtask_object_extraction.data.perturbed_boxes import PerturbedBoxes
from jointtask_object_extraction.photograph import FRAME, Photograph
from jointtask_object_extraction.settings import ImageFolder

__all__ = ["FolderDataset", "image_folder", "read_pairs"]

_VERSION = f"image-folder 2, frame {FRAME}"
"""How a file becomes a frame, part of every digest: raised whenever a file gives another frame than before."""

_ENCODINGS = tuple(ENCODINGS)
_NOTES = (CONVERTED, BROKEN)
_FRAMES = ("image", "mask")
_FACTS = ("noted",)
_MASK_FACTS = ("share", "border", "encoding")
_EMPTY = "empty mask"
_TWICE = "more than one image of one name"


@frozen
class _Example:
    """A pair of files, by content."""

    pair: Pair
    max_pixels: int
    grey: bool
    image_digest: str
    digest: str

    @property
    def empty(self) -> DecodeError:
        """The fault of an empty mask."""
        return DecodeError(self.pair.mask or self.pair.image, _EMPTY)

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

        These are which of `_NOTES` there are on the image (a bit each); and of the mask, the object's share of the
        image and of its border, and the encoding.
        """
        photograph, encoding = self.decode()
        noted = sum(1 << bit for bit, note in enumerate(_NOTES) if note in photograph.notes)
        arrays: dict[str, NDArray[Any]] = {
            "image": np.ascontiguousarray(squash(photograph.image).transpose(2, 0, 1)),
            "noted": np.array(noted, dtype=np.uint8),
        }
        if photograph.mask is not None:
            arrays["mask"] = squash_mask(photograph.mask).astype(np.uint8)
            arrays["share"] = np.array(photograph.mask.mean())
            arrays["border"] = np.array(border_share(photograph.mask))
            arrays["encoding"] = np.array(encoding, dtype=np.uint8)
        return arrays


class FolderDataset:
    """Pairs of files, with frames in the cache; a `jointtask.api.dataset.Dataset`, made by `image_folder`."""

    def __init__(
        self, examples: Sequence[_Example], frames: CachedArrays, rows: NDArray[np.intp], notes: Sequence[str]
    ) -> None:
        self.ids = [example.pair.id for example in examples]
        self.digests = [example.digest for example in examples]
        self.input_digests = [example.image_digest for example in examples]
        self.fingerprint = _digest(*self.ids, *self.digests)
        self.notes = notes
        self._examples = examples
        self._frames = frames
        self._rows = rows

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.ids)

    def batch(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return the frames of B examples.

        Parameters
        ----------
        index : sequence of int, (B,)
            Positions in the data set.

        Returns
        -------
        dict of str to Tensor
            ``image`` (B, 3, 224, 224), uint8, RGB; with annotation also ``mask`` (B, 224, 224), uint8, 1 on the object.
        """
        frames = self._frames.batch(self._rows[np.asarray(index, dtype=np.intp)], _FRAMES)
        return {name: torch.from_numpy(array) for name, array in frames.items()}

    def example(self, index: int) -> Photograph:
        """Decode one example at its own size."""
        return self._examples[index].decode()[0]


def image_folder(settings: ImageFolder, context: Context) -> FolderDataset | PerturbedBoxes:
    """Read the folders; make the frames that are not in the cache yet.

    Parameters
    ----------
    settings : ImageFolder
        The folders, and which of their files are used.
    context : Context
        The cache, the workers and the progress display.

    Returns
    -------
    FolderDataset or PerturbedBoxes
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
    dataset = read_pairs(find_pairs(settings), settings, context)
    if not perturbed:
        return dataset
    return PerturbedBoxes(dataset, noise=settings.box_noise, wrong=settings.wrong_boxes, seed=settings.box_seed)


def read_pairs(listing: Listing, settings: ImageFolder, context: Context) -> FolderDataset:
    """Read what `find_pairs` listed, as `image_folder` does."""
    examples, faults = _examples(listing.pairs, settings, context)
    try:
        frames = _frames(examples, settings, context)
    except FaultsError as error:
        raise _unusable(listing.problems, [*faults, *error.faults.values()]) from error

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
        raise _unusable(listing.problems, faults)
    if not len(rows):
        raise DataError("no example is left", cause="; ".join(notes))
    used = [examples[row] for row in rows]
    ids = [example.pair.id for example in used]
    notes += fact_notes(ids, {name: values[rows] for name, values in facts.items()}, _NOTES)
    return FolderDataset(used, frames, rows, notes + duplicate_notes(ids, [example.image_digest for example in used]))


def _examples(
    pairs: Sequence[Pair], settings: ImageFolder, context: Context
) -> tuple[list[_Example], list[DecodeError]]:
    grey = settings.encoding == "grey"
    version = f"{_VERSION}, grey masks" if grey else _VERSION

    def read(pair: Pair) -> _Example | DecodeError:
        try:
            image = _file_digest(pair.image)
            mask = "" if pair.mask is None else _file_digest(pair.mask)
        except DecodeError as error:
            return error
        return _Example(pair, settings.max_pixels, grey, image, _digest(version, image, mask))

    examples: list[_Example] = []
    faults: list[DecodeError] = []
    with context.progress.phase("read files", len(pairs)) as bar, ThreadPoolExecutor(max(1, context.workers)) as pool:
        for result in pool.map(read, pairs):
            if isinstance(result, _Example):
                examples.append(result)
            else:
                faults.append(result)
            bar.advance()
    return examples, faults


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


def _digest(*parts: str) -> str:
    return blake2b(name_bytes("\n".join(parts)), digest_size=20).hexdigest()


def _file_digest(path: Path) -> str:
    try:
        if not path.is_file() and path.exists():
            raise DecodeError(path, "cannot be read", cause="it is no regular file")
        with path.open("rb") as file:
            return file_digest(file, lambda: blake2b(digest_size=20)).hexdigest()
    except OSError as error:
        raise DecodeError(path, "cannot be read", cause=error.strerror or str(error)) from error


def _unusable(problems_listed: Mapping[str, Sequence[str]], faults: Iterable[DataError]) -> DataError:
    problems = defaultdict(list, {problem: list(names) for problem, names in problems_listed.items()})
    for fault in faults:
        problem, name = (fault.problem, fault.path) if isinstance(fault, DecodeError) else ("unusable", str(fault))
        problems[problem].append(f"{shown(name)} ({fault.cause})" if fault.cause else shown(name))
    lines = [f"{problem}, {len(names):,}: {listed(names)}" for problem, names in problems.items()]
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    skip = "; empty = 'skip' leaves empty masks out" if _EMPTY in problems else ""
    twice = "; a line with a suffix chooses one of several files of a name" if _TWICE in problems else ""
    return DataError(
        "\n  ".join([f"the data cannot be used: {count}", *lines]),
        remedy="correct or remove these files, or list those to use in a file named by `ids`, or those to leave out in"
        f" one named by `without`{twice}{skip}",
    )
