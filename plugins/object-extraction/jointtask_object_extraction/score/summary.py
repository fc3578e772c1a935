"""From the scores of images to those of folders: means, intervals, paired differences, and what is odd."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

from jointtask.api import ConfigError, definitions
from jointtask.tools import RESAMPLES, bootstrap_interval
from jointtask_object_extraction.data.masks import ENCODINGS
from jointtask_object_extraction.data.pairing import listed
from jointtask_object_extraction.metrics.components import metric_components
from jointtask_object_extraction.score.image import ODDITIES, ImageScores, MapScores, metric
from jointtask_object_extraction.score.matching import Masks, Predictions
from jointtask_object_extraction.score.record import MAXIMA, FolderScores, ScoreTable, Value

__all__ = ["choose", "summarise"]

_NOTHING = MapScores({})


def choose(wanted: str) -> dict[str, str]:
    """Return the metric behind each score that is asked for.

    Parameters
    ----------
    wanted : str
        Names of scores (J, maxF), or of metrics (iou, f-measure) for all of theirs, in any case, separated by commas;
        "" for all.

    Raises
    ------
    ConfigError
        If a name is neither.
    """
    every = {name: component.name for component in metric_components() for name in metric(component.name).summaries}
    names = {word.strip().lower() for word in wanted.split(",") if word.strip()}
    names_of_all = {key.lower() for pair in every.items() for key in pair}
    if unknown := sorted(names - names_of_all):
        raise ConfigError(
            f"--metrics: no score or metric is called {', '.join(unknown)}",
            remedy=f"name scores ({', '.join(every)}) or metrics ({', '.join(dict.fromkeys(every.values()))})",
        )
    return {score: name for score, name in every.items() if not names or names & {score.lower(), name}}


def summarise(
    scored: Sequence[ImageScores],
    predictions: Sequence[Predictions],
    scores: Mapping[str, str],
    truth: Path,
    masks: Masks,
) -> ScoreTable:
    """Summarise the scores of all images.

    Parameters
    ----------
    scored : sequence of ImageScores
        The scores of each image.
    predictions : sequence of Predictions
        The folders.
    scores : mapping of str to str
        The metric behind each score, from `choose`.
    truth : pathlib.Path
        The folder of masks.
    masks : Masks
        Masks of that folder.
    """
    defined = definitions({name: metric(name) for name in scores.values()})
    columns = [[image.maps[position] or _NOTHING for image in scored] for position in range(len(predictions))]
    means = [_means(column, scores) for column in columns]
    return ScoreTable(
        truth=str(truth),
        ids=[image.id for image in scored],
        unreadable=[*masks.faults, *(image.fault for image in scored if image.fault)],
        notes=[*masks.notes, *_truth_notes(scored)],
        folders=[
            FolderScores(
                name=folder.name,
                folder=str(folder.folder),
                images=sum(bool(maps.scores) for maps in column),
                scores={
                    score: _maximum(score, name, column, columns[0] if position else None)
                    if score in MAXIMA
                    else _mean(own[score], means[0][score] if position else None, metric(name).summaries[score].better)
                    for score, name in scores.items()
                },
                missing=folder.missing,
                unmatched=folder.unmatched,
                unreadable=[*folder.faults, *(fault for maps in column for fault in maps.faults)],
                notes=[*folder.notes, *_map_notes(scored, column)],
                per_image=own,
                oddities=[_oddity(image, position) for image in scored],
                curves=_mean_curves(column),
            )
            for position, (folder, column, own) in enumerate(zip(predictions, columns, means, strict=True))
        ],
        definitions={score: defined[score] for score in scores},
        resamples=RESAMPLES,
    )


def _means(column: Sequence[MapScores], scores: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """Return the scores that are means over images, image by image; NaN where there is none."""
    return {
        score: np.array(
            [
                metric(name).summaries[score].reduce(np.asarray(maps.scores[name])[None]) if maps.scores else math.nan
                for maps in column
            ]
        )
        for score, name in scores.items()
        if score not in MAXIMA
    }


def _mean(own: NDArray[np.float64], against: NDArray[np.float64] | None, better: str) -> Value:
    scored = own[~np.isnan(own)]
    value = Value(float(scored.mean()) if scored.size else math.nan, bootstrap_interval(scored[None]))
    if against is None:
        return value
    differences = own - against
    differences = differences[~np.isnan(differences)]
    if not differences.size:
        return value
    interval = bootstrap_interval(differences[None])
    return attrs.evolve(
        value,
        difference=float(differences.mean()),
        difference_interval=interval,
        verdict=_verdict(interval, better),
    )


def _maximum(score: str, name: str, column: Sequence[MapScores], against: Sequence[MapScores] | None) -> Value:
    def over(maps: Sequence[MapScores]) -> float:
        rows = [each.scores[name] for each in maps]
        return metric(name).summaries[score].reduce(np.asarray(rows, dtype=np.float64)) if rows else math.nan

    value = Value(over([maps for maps in column if maps.scores]))
    if against is None:
        return value
    both = [pair for pair in zip(column, against, strict=True) if all(maps.scores for maps in pair)]
    return attrs.evolve(
        value, difference=over([one for one, _ in both]) - over([other for _, other in both]) if both else None
    )


def _verdict(interval: tuple[float, float] | None, better: str) -> str:
    if interval is None:
        return ""
    low, high = interval
    if low <= 0 <= high:
        return "within noise"
    return "better" if (low > 0) == (better == "higher") else "worse"


def _mean_curves(column: Sequence[MapScores]) -> NDArray[np.float64] | None:
    curves = [maps.curves for maps in column if maps.curves is not None]
    return np.mean(curves, axis=0) if curves else None


def _truth_notes(scored: Sequence[ImageScores]) -> list[str]:
    read = Counter(image.truth for image in scored if image.truth)
    notes = [
        f"masks read as {encoding}, {count:,}: {ENCODINGS[encoding]}"
        for encoding, count in sorted(read.items())
        if encoding != "0/255"
    ]
    empty = [image.id for image in scored if image.empty]
    return notes + [f"masks without an object, {len(empty):,}: {listed(empty)}"] * bool(empty)


def _map_notes(scored: Sequence[ImageScores], column: Sequence[MapScores]) -> list[str]:
    notes = []
    for oddity, text in ODDITIES.items():
        if ids := [image.id for image, maps in zip(scored, column, strict=True) if oddity in maps.oddities]:
            notes.append(f"maps {text}; {len(ids):,}: {listed(ids)}")
    inverted, total = sum(maps.inverted for maps in column), sum(bool(maps.scores) for maps in column)
    if 2 * inverted > total:
        notes.append(
            f"maps that look inverted, {inverted:,} of {total:,}: J of the complement is much higher; is 0 the object?"
        )
    return notes


def _oddity(image: ImageScores, position: int) -> str:
    maps = image.maps[position]
    if image.fault:
        return "mask unreadable"
    if maps is None:
        return "missing"
    return "; ".join([*maps.oddities, *["inverted"] * maps.inverted, *["unreadable"] * bool(maps.faults)])
