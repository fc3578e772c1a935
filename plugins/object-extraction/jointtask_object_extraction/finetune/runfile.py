"""The run file that `jointtask finetune` writes: the shipped model's networks, with rates and epochs for few images."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from jointtask_object_extraction.extract.model import SHIPPED

__all__ = ["FEWEST", "VALIDATION", "epochs_for", "finetune_file"]

VALIDATION = 0.2
"""Share of the images that is held back for validation."""

FEWEST = 10
"""Images with masks below which nothing can be said about a gain."""

_BATCH = 8
_EXAMPLES = 2000  # seen in all, where the images are few; measured in docs/finetuning.md
_FEWEST_EPOCHS, _MOST_EPOCHS = 8, 40

_HEADER = """\
# The model that ships with object extraction, trained further on your own images: as `jointtask finetune` writes it.
# A fifth of the images, chosen by a hash of their names, is held back for validation.
"""

_OPTIMIZER = {
    "name": "adamw",
    "rate": 2e-4,
    "rates": {"encoder": 5e-5},
    "schedule": "cosine",
    "weight_decay": 0.05,
    "warmup_steps": 20,
    "clip": 5.0,
}

_METRICS = ("iou", "pixel-accuracy", "mae", "f-measure", "box-iou")


def epochs_for(count: int) -> int:
    """Return for how many epochs to train on `count` images: few images are shown more often."""
    return min(max(round(_EXAMPLES / max(count, 1)), _FEWEST_EPOCHS), _MOST_EPOCHS)


def finetune_file(name: str, images: str, masks: str, *, output: str, epochs: int) -> str:
    """Return a run file as TOML.

    Parameters
    ----------
    name : str
        Name of the run.
    images, masks : str
        Folders; images without a mask, and masks without an object, are left out.
    output : str
        Folder that the run directory is made in.
    epochs : int
        Epochs over the training part, at least 2.
    """
    shipped = tomllib.loads((SHIPPED / "config.toml").read_text(encoding="utf-8"))
    folder = {"name": "image-folder", "images": images, "masks": masks, "unlabelled": "skip", "empty": "skip"}
    tables: dict[str, Mapping[str, Any]] = {
        "run": {"name": name, "start": "shipped", "output": output, "channels_last": True},
        "data.train": {**folder, "part": [VALIDATION, 1.0]},
        "data.validation": {**folder, "part": [0.0, VALIDATION]},
        "upstream": {**shipped["upstream"], "optimizer": _OPTIMIZER},
        "downstream": {**shipped["downstream"], "optimizer": _OPTIMIZER},
        "bridge": shipped["bridge"],
        "sampler": {"name": "none"},
        "em": {
            "warmup_epochs": epochs - 1,
            "rounds": 1,
            "epochs_per_round": 1,
            "batch_size": _BATCH,
            "downstream_batch": 64,
            "oracle_examples": 0,
        },
        "predict": {key: value for key, value in shipped.get("predict", {}).items() if key != "batch_size"},
        "evaluate": {"metrics": _METRICS, "each_round": ["iou", "box-iou"], "predictors": ["shipped"]},
    }
    parts = ["\n".join([f"[{title}]", *_lines(table)]) for title, table in tables.items()]
    return _HEADER + "\n\n".join(parts) + "\n"


def _lines(table: Mapping[str, Any]) -> Sequence[str]:
    return [f"{key} = {_toml(value)}" for key, value in table.items()]


def _toml(value: Any) -> str:
    """Return a value as TOML on one line."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(_lines(value))} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return json.dumps(value)
