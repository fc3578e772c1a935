"""The data set `heartbeats`: generated recordings, with nothing to download."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from jointtask.api import Context, derive
from jointtask_event_detection.recording import RATE, Recording, make_recording
from jointtask_event_detection.settings import Heartbeats

__all__ = ["HeartbeatDataset", "heartbeats"]


class HeartbeatDataset:
    """Generated recordings, in memory; a `jointtask.api.dataset.Dataset`.

    A recording depends on (settings, seed, split, position) alone, not on how many there are.

    Parameters
    ----------
    settings : Heartbeats
        Which recordings.
    """

    def __init__(self, settings: Heartbeats) -> None:
        self.ids = [f"{settings.split}-{settings.seed}-{index:05d}" for index in range(settings.examples)]
        self._recordings = [
            make_recording(
                settings, np.random.default_rng(derive("heartbeats 1", settings.seed, settings.split, index)), name
            )
            for index, name in enumerate(self.ids)
        ]
        self.digests = [_digest(recording) for recording in self._recordings]
        self.fingerprint = blake2b("\n".join(self.digests).encode(), digest_size=20).hexdigest()
        self.notes = [
            f"{settings.examples:,} generated recordings at {RATE} samples a second",
            f"marked ends: noise of {settings.annotation_noise:g} samples",
        ]
        self._tensors = {
            name: torch.from_numpy(np.stack([getattr(recording, name) for recording in self._recordings]))
            for name in ("values", "label", "marked")
        }

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
            ``values`` (B, 512), float32; ``label`` (B, 512), uint8; ``marked`` (B, 2), float32, in samples.
        """
        rows = list(index)
        return {name: tensor[rows] for name, tensor in self._tensors.items()}

    def example(self, index: int) -> Recording:
        """Return one example at its own size."""
        return self._recordings[index]


def heartbeats(settings: Heartbeats, context: Context) -> HeartbeatDataset:
    """Build the data set `heartbeats`."""
    return HeartbeatDataset(settings)


def _digest(recording: Recording) -> str:
    parts = (recording.values, recording.label, recording.marked)
    return blake2b(b"".join(part.tobytes() for part in parts), digest_size=20).hexdigest()
