"""The data set `heartbeats`: generated recordings, with nothing to download."""

from __future__ import annotations

import numpy as np
import torch

from jointtask.api import Context, MemoryDataset, derive
from jointtask_event_detection.interval import LABELLED, MARKED
from jointtask_event_detection.recording import RATE, Recording, make_recording
from jointtask_event_detection.settings import Heartbeats

__all__ = ["HeartbeatDataset", "heartbeats"]


class HeartbeatDataset(MemoryDataset):
    """Generated recordings, each of which depends on (settings, seed, split, position) alone.

    A batch has ``values`` (B, 512), float32; ``label`` (B, 512), uint8; ``marked`` (B, 2), float32, in samples. Where
    some recordings lack an annotation it also has ``is_marked`` and ``is_labelled``, (B,), bool; lacking labels are 0,
    and lacking marks are the whole recording. An example keeps its true labels, for scoring.

    Parameters
    ----------
    settings : Heartbeats
        Split, number of recordings, noise, and shares without an annotation.
    """

    def __init__(self, settings: Heartbeats) -> None:
        ids = [f"{settings.split}-{settings.seed}-{index:05d}" for index in range(settings.examples)]
        recordings = [_make(settings, index, name) for index, name in enumerate(ids)]
        names = ("values", "label", "marked")
        tensors = {name: torch.from_numpy(np.stack([getattr(each, name) for each in recordings])) for name in names}
        notes = [
            f"{settings.examples:,} generated recordings at {RATE} samples a second",
            f"marked ends: noise of {settings.annotation_noise:g} samples",
        ]
        if settings.unlabelled or settings.unmarked:
            chance = torch.tensor([_chance(settings, index) for index in range(settings.examples)])
            labelled, marked = chance >= settings.unlabelled, chance < 1 - settings.unmarked
            tensors["label"][~labelled] = 0
            tensors["marked"][~marked] = torch.tensor([0.0, tensors["values"].shape[1]])
            tensors |= {LABELLED: labelled, MARKED: marked}
            notes.append(
                f"without labels, {int((~labelled).sum()):,}; without a marked interval, {int((~marked).sum()):,}"
            )
        super().__init__(ids, tensors, recordings, annotation=["label", "marked", LABELLED, MARKED], notes=notes)


def heartbeats(settings: Heartbeats, context: Context) -> HeartbeatDataset:
    """Build the data set `heartbeats`."""
    return HeartbeatDataset(settings)


def _make(settings: Heartbeats, index: int, name: str) -> Recording:
    random = np.random.default_rng(derive("heartbeats 1", settings.seed, settings.split, index))
    return make_recording(settings, random, name)


def _chance(settings: Heartbeats, index: int) -> float:
    """Return the number in [0, 1) that decides which annotation a recording lacks."""
    return float(np.random.default_rng(derive("heartbeats lacking", settings.seed, settings.split, index)).random())
