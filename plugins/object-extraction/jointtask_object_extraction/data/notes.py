"""What a user should know about the images and masks of a data set: encodings, sizes, oddities, duplicates."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jointtask_object_extraction.data.colour import BROKEN, CONVERTED
from jointtask_object_extraction.data.decode import squash
from jointtask_object_extraction.data.masks import ENCODINGS
from jointtask_object_extraction.data.pairing import listed
from jointtask_object_extraction.photograph import Photograph

__all__ = ["border_share", "duplicate_notes", "fact_notes", "image_arrays"]

_ENCODINGS = tuple(ENCODINGS)
_IMAGE_NOTES = (CONVERTED, BROKEN)
_INVERTED_BORDER, _INVERTED_SHARE = 0.9, 0.5
"""Least shares of the border and of the image that an object covers whose mask looks inverted."""


def border_share(mask: NDArray[np.bool_]) -> float:
    """Return the object's share of the pixels at the image's border, in [0, 1]."""
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def image_arrays(photograph: Photograph) -> dict[str, NDArray[Any]]:
    """Return the ``image`` frame, (3, 224, 224), and ``noted``: which notes there are on the image, a bit each."""
    noted = sum(1 << bit for bit, note in enumerate(_IMAGE_NOTES) if note in photograph.notes)
    return {
        "image": np.ascontiguousarray(squash(photograph.image).transpose(2, 0, 1)),
        "noted": np.array(noted, dtype=np.uint8),
    }


def fact_notes(ids: Sequence[str], facts: Mapping[str, NDArray[Any]]) -> list[str]:
    """Write notes on n examples.

    Parameters
    ----------
    ids : sequence of str, (n,)
        Names of the examples.
    facts : mapping of str to ndarray, (n,)
        ``noted`` of `image_arrays`; with masks also ``share`` and ``border`` of the object, NaN where an example has no
        mask, and the position of the ``encoding`` where masks are files.
    """
    notes = []
    for bit, note in enumerate(_IMAGE_NOTES):
        if named := [ids[row] for row in np.flatnonzero(facts["noted"] & (1 << bit))]:
            notes.append(f"{note}, {len(named):,}: {listed(named)}")
    if "share" not in facts:
        return notes
    encodings = facts.get("encoding", np.array([], dtype=np.uint8))
    notes += [
        f"masks read as {_ENCODINGS[code]}, {count:,}: {ENCODINGS[_ENCODINGS[code]]}"
        for code, count in sorted(Counter(encodings.tolist()).items())
    ]
    share = facts["share"]
    if not np.isnan(share).all():
        notes.append(f"the object covers {np.nanmedian(share):.0%} of an image (median)")
    if full := [ids[row] for row in np.flatnonzero(share == 1)]:
        notes.append(f"masks that cover the whole image, {len(full):,}: {listed(full)}")
    inverted = (facts["border"] >= _INVERTED_BORDER) & (share > _INVERTED_SHARE) & (share < 1)
    if named := [ids[row] for row in np.flatnonzero(inverted)]:
        notes.append(
            f"masks that look inverted, {len(named):,} of {len(ids):,}: the object covers nearly all of the image's"
            f" border; 0 must be the background: {listed(named)}"
        )
    return notes


def duplicate_notes(ids: Sequence[str], image_digests: Sequence[str]) -> list[str]:
    """Name the images of n examples that are there more than once, by the digests of their files."""
    same: dict[str, list[str]] = defaultdict(list)
    for id_, digest in zip(ids, image_digests, strict=True):
        same[digest].append(id_)
    groups = [" = ".join(names) for names in same.values() if len(names) > 1]
    return [f"images that are there more than once, {len(groups):,}: {listed(groups)}"] if groups else []
