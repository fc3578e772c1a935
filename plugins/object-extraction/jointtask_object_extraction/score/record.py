"""What `jointtask score` found, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

__all__ = ["MAXIMA", "FolderScores", "ScoreTable", "Value"]

MAXIMA = frozenset({"maxF", "maxE"})
"""Scores that are no means over images: the maximum of a mean curve."""


@frozen
class Value:
    """A score of a folder.

    Attributes
    ----------
    value : float
        Number over all images that have it; NaN if none has.
    interval : tuple of two floats or None
        95 %, by a bootstrap over images; None for fewer than two, and for `MAXIMA`.
    difference : float or None
        Difference to the first folder, on the images that both have; None for the first itself, and without such
        images.
    difference_interval : tuple of two floats or None
        95 %, by a paired bootstrap over images; None as for `interval`.
    verdict : str
        "better", "worse" or, where the interval of the difference includes zero, "within noise"; "" without interval.
    """

    value: float
    interval: tuple[float, float] | None = None
    difference: float | None = None
    difference_interval: tuple[float, float] | None = None
    verdict: str = ""


@frozen
class FolderScores:
    """The scores of one folder.

    Attributes
    ----------
    name, folder : str
        Name in tables, and path of the folder.
    images : int
        Number of images scored.
    scores : mapping of str to Value
        Scores by name.
    missing, unmatched : sequence of str
        Masks without a map, and maps without a mask.
    unreadable : sequence of str
        Files that cannot be read, and why.
    notes : sequence of str
        Lines about what was decided and what is odd.
    per_image : mapping of str to ndarray, (masks,)
        The scores that are means over images, image by image; NaN where there is none.
    oddities : sequence of str
        Oddities of each image, "" for none.
    curves : ndarray, (3, 256), or None
        Precision, recall and F-measure by threshold, mean over images, if they were asked for.
    """

    name: str
    folder: str
    images: int
    scores: Mapping[str, Value]
    missing: Sequence[str]
    unmatched: Sequence[str]
    unreadable: Sequence[str]
    notes: Sequence[str]
    per_image: Mapping[str, NDArray[np.float64]] = field(eq=False)
    oddities: Sequence[str]
    curves: NDArray[np.float64] | None = field(eq=False)


@frozen
class ScoreTable:
    """What `jointtask score` found.

    Attributes
    ----------
    truth : str
        The folder of masks.
    ids : sequence of str
        Ids of the masks.
    unreadable : sequence of str
        Masks that cannot be read, and why.
    notes : sequence of str
        Encodings of the masks, and what is odd about them.
    folders : sequence of FolderScores
        Scores of each folder, in the order given.
    definitions : mapping of str to mapping
        Definition of each score: its text, which way is better, and whether it is shown in percent.
    resamples : int
        Behind each interval.
    """

    truth: str
    ids: Sequence[str]
    unreadable: Sequence[str]
    notes: Sequence[str]
    folders: Sequence[FolderScores]
    definitions: Mapping[str, Mapping[str, Any]]
    resamples: int
