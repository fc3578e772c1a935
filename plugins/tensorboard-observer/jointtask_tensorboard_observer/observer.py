"""Writes TensorBoard's event files."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from jointtask.api import Context, Observer, Panel, RoundRecord, RunRecord, StepRecord, numbers_of
from jointtask_tensorboard_observer.plugin import TensorboardSettings

__all__ = ["TensorboardObserver", "build"]


def build(settings: TensorboardSettings, context: Context) -> TensorboardObserver:
    """Make the observer."""
    return TensorboardObserver(settings)


class TensorboardObserver(Observer):
    """Writes scalars by step and by round, and the panels of the report as images.

    Parameters
    ----------
    settings : TensorboardSettings
        Folder of the event files, and steps between two entries.
    """

    def __init__(self, settings: TensorboardSettings) -> None:
        self._settings = settings
        self._step = 0

    def run_started(self, record: RunRecord, step: int) -> None:
        """Open the event file; what an interrupted run wrote after `step` is hidden by TensorBoard."""
        folder = self._settings.directory or Path(record.directory) / "tensorboard"
        self._writer: Any = SummaryWriter(str(folder), purge_step=step + 1)
        self._step = step

    def step_finished(self, record: StepRecord) -> None:
        """Write losses, rates and gradient norms."""
        self._step = record.step
        if record.step % self._settings.every == 0:
            self._write(record)

    def round_finished(self, record: RoundRecord) -> None:
        """Write the objective, the diagnostics of the E-step and the validation scores, at the step that ended it."""
        self._write(record)

    def panels_drawn(self, panels: Sequence[Panel]) -> None:
        """Write the panels as images."""
        for panel in panels:
            pixels = np.asarray(Image.open(BytesIO(panel.png)).convert("RGB"))
            self._writer.add_image(f"panel/{panel.title}", pixels, self._step, dataformats="HWC")

    def run_finished(self, record: RunRecord) -> None:
        """Write the scores and close the file."""
        self._write(record)
        self._writer.close()

    def run_failed(self, record: RunRecord, error: BaseException) -> None:
        """Close the file."""
        self._writer.close()

    def _write(self, record: StepRecord | RoundRecord | RunRecord) -> None:
        for name, value in numbers_of(record).items():
            self._writer.add_scalar(name, value, self._step)
