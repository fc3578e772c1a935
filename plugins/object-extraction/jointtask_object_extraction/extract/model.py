"""A trained run as a function of one photograph; the trained model that ships with this plugin is such a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jointtask.api import ConfigError, Context, NoSettings, Progress
from jointtask_object_extraction.data.decode import squash
from jointtask_object_extraction.photograph import Extraction, Photograph

__all__ = ["SHIPPED", "load_run", "shipped"]

SHIPPED = Path(__file__).parents[1] / "model"
"""The run directory of the model that ships: its resolved run file, and its weights in half precision."""


def load_run(directory: Path, device: Any, progress: Progress) -> Callable[[Photograph], Extraction]:
    """Make a trained run callable with one photograph.

    Raises
    ------
    ConfigError
        If it is a run of another pair of tasks, or holds no weights.
    """
    import torch

    from jointtask import load_predictor
    from jointtask_object_extraction.bridge.box import BoxBridge

    predictor = load_predictor(directory, device=device, progress=progress)
    if not isinstance(predictor.pair.bridge, BoxBridge):
        raise ConfigError(f"{directory} does not extract objects", cause="it is a run with another bridge than boxes")

    def predict(photograph: Photograph) -> Extraction:
        frame = torch.from_numpy(squash(photograph.image)).permute(2, 0, 1)[None].contiguous()
        extraction: Extraction = predictor.predict({"image": frame}, [photograph])[0]
        return extraction

    return predict


def shipped(settings: NoSettings, context: Context) -> Callable[[Photograph], Extraction]:
    """Build `shipped`: the trained model that comes with this plugin (its model card is docs/model-card.md)."""
    return load_run(SHIPPED, context.device.type, context.progress)
