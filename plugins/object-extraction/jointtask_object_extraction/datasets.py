"""The data set `image-folder`: a folder of images and a folder of masks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import frozen
from numpy.typing import NDArray
from torch import Tensor

from jointtask.cache import CachedArrays, FaultsError, cached_arrays
from jointtask.component import Context
from jointtask.errors import DataError
from jointtask_object_extraction.decode import DecodeError, decode_image, squash
from jointtask_object_extraction.masks import ENCODINGS, decode_mask, squash_mask
from jointtask_object_extraction.pairs import Pair, find_pairs, some
from jointtask_object_extraction.photograph import FRAME, Photograph
from jointtask_object_extraction.settings import ImageFolder

__all__ = ["FolderDataset", "image_folder"]

_VERSION = f"image-folder 1, frame {FRAME}"  # of how a file becomes a frame: part of every digest
_ENCODINGS = tuple(ENCODINGS)
_FRAMES = ("image", "mask")
_EMPTY = "empty mask"


@frozen
class _Example:
    """A pair of files, by content."""

    pair: Pair
    max_pixels: int
    image_digest: str
    digest: str

    def decode(self) -> tuple[Photograph, int]:
        """Return the photograph, and the position of the mask's encoding in `ENCODINGS`."""
        image = decode_image(self.pair.image, self.max_pixels)
        if self.pair.mask is None:
            return Photograph(self.pair.id, image, None), 0
        mask, encoding = decode_mask(self.pair.mask, image.shape[:2])
        return Photograph(self.pair.id, image, mask), _ENCODINGS.index(encoding)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the frames, and what the notes need: the object's share of the image, and the mask's encoding."""
        photograph, encoding = self.decode()
        arrays: dict[str, NDArray[Any]] = {"image": np.ascontiguousarray(squash(photograph.image).transpose(2, 0, 1))}
        if photograph.mask is not None:
            arrays["mask"] = squash_mask(photograph.mask).astype(np.uint8)
            arrays["share"] = np.array(photograph.mask.mean())
            arrays["encoding"] = np.array(encoding, dtype=np.uint8)
        return arrays


class FolderDataset:
    """Pairs of files, with frames in the cache; a `jointtask.data.Dataset`, made by `image_folder`."""

    def __init__(
        self, examples: Sequence[_Example], frames: CachedArrays, rows: NDArray[np.intp], notes: Sequence[str]
    ) -> None:
        self.ids = [example.pair.id for example in examples]
        self.digests = [example.digest for example in examples]
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
            Positions.

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


def image_folder(settings: ImageFolder, context: Context) -> FolderDataset:
    """Read the folders; make the frames that are not in the cache yet.

    Parameters
    ----------
    settings : ImageFolder
        The folders, and which of their files are used.
    context : Context
        Its cache, workers and progress are used.

    Returns
    -------
    FolderDataset
        The examples in the order of their ids.

    Raises
    ------
    DataError
        Everything that is wrong with the data, at once.
    RunError
        If the cache cannot be used.
    """
    listing = find_pairs(settings)
    problems = defaultdict(list, {kind: list(names) for kind, names in listing.problems.items()})

    def read(pair: Pair) -> _Example | DecodeError:
        try:
            return _read(pair, settings.max_pixels)
        except DecodeError as error:
            return error

    examples: list[_Example] = []
    with (
        context.progress.phase("read files", len(listing.pairs)) as bar,
        ThreadPoolExecutor(max(1, context.workers)) as pool,
    ):
        for result in pool.map(read, listing.pairs):
            if isinstance(result, DecodeError):
                problems[result.problem].append(_described(result))
            else:
                examples.append(result)
            bar.advance()

    def make(index: int) -> Mapping[str, NDArray[Any]]:
        arrays = examples[index].arrays()
        mask = examples[index].pair.mask
        if mask is not None and settings.empty == "error" and arrays["share"] == 0:
            raise DecodeError(mask, _EMPTY)
        return arrays

    try:
        frames = cached_arrays(
            context.cache / "frames",
            [example.digest for example in examples],
            make,
            workers=context.workers,
            progress=context.progress,
            label="decode images",
        )
    except FaultsError as error:
        for fault in error.faults.values():
            assert isinstance(fault, DecodeError)  # nothing else is raised by `make`
            problems[fault.problem].append(_described(fault))
        raise _unusable(problems) from error

    rows = np.arange(len(examples))
    notes = list(listing.notes)
    if settings.masks and examples:
        facts = frames.batch(rows, ("share", "encoding"))
        empty = [str(examples[row].pair.mask) for row in np.flatnonzero(facts["share"] == 0)]
        if empty and settings.empty == "error":
            problems[_EMPTY] = empty
        rows = np.flatnonzero(facts["share"] > 0)
        notes += _mask_notes(facts["share"][rows], facts["encoding"][rows])
        if empty:
            notes.append(f"{len(empty):,} skipped, their masks are empty: {some(empty)}")
    if problems:
        raise _unusable(problems)
    if not len(rows):
        raise DataError("no example is left", cause="; ".join(notes))
    used = [examples[row] for row in rows]
    return FolderDataset(used, frames, rows, notes + _duplicate_notes(used))


def _digest(*parts: str) -> str:
    return blake2b("\n".join(parts).encode(), digest_size=20).hexdigest()


def _read(pair: Pair, max_pixels: int) -> _Example:
    image, mask = _file_digest(pair.image), "" if pair.mask is None else _file_digest(pair.mask)
    return _Example(pair, max_pixels, image, _digest(_VERSION, image, mask))


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, lambda: blake2b(digest_size=20)).hexdigest()
    except OSError as error:
        raise DecodeError(path, "cannot be read", cause=error.strerror or str(error)) from error


def _described(error: DecodeError) -> str:
    return f"{error.path} ({error.cause})" if error.cause else str(error.path)


def _unusable(problems: Mapping[str, Sequence[str]]) -> DataError:
    lines = [f"{problem}, {len(names):,}: {some(names)}" for problem, names in problems.items()]
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    skip = "; empty = 'skip' leaves empty masks out" if _EMPTY in problems else ""
    return DataError(
        "\n  ".join([f"the data cannot be used: {count}", *lines]),
        remedy=f"correct or remove these files, or list those to use in a file named by `ids`{skip}",
    )


def _mask_notes(share: NDArray[np.float64], encoding: NDArray[np.uint8]) -> list[str]:
    notes = [
        f"{count:,} masks read as {_ENCODINGS[code]}: {ENCODINGS[_ENCODINGS[code]]}"
        for code, count in sorted(Counter(encoding.tolist()).items())
    ]
    if len(share):
        notes.append(f"the object covers {np.median(share):.0%} of an image (median)")
    if full := int((share == 1).sum()):
        notes.append(f"{full:,} masks cover the whole image")
    return notes


def _duplicate_notes(examples: Sequence[_Example]) -> list[str]:
    same: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        same[example.image_digest].append(example.pair.id)
    groups = [" = ".join(ids) for ids in same.values() if len(ids) > 1]
    return [f"{len(groups):,} images are there more than once: {some(groups)}"] if groups else []
