"""Checkpoints: everything that a run needs to go on, in one safetensors file, never a pickle."""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from jointtask.api.errors import RunError
from jointtask.em.state import Checkpoint
from jointtask.tools.tensorfile import digest, save_tensors

__all__ = ["checkpoint_files", "latest_checkpoint", "save_checkpoint"]

KEPT = 2


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint whole or not at all, then drop all but the last two.

    Raises
    ------
    RunError
        If a floating-point tensor has NaN in it, which would replace the last good state; or if the disk refuses.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    for name, tensor in tensors.items():
        if name.startswith("model.") and tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise RunError(
                f"{name} is no longer finite; the checkpoint was not written",
                remedy="lower optimizer.rate or set optimizer.clip; the checkpoint before it is kept",
            )
    before = checkpoint_files(folder)
    number = before[-1][0] + 1 if before else 1
    path = folder / f"{number:08d}.safetensors"
    metadata = {"state": json.dumps(checkpoint.state), "digest": digest(tensors, checkpoint.state)}
    save_tensors(path, tensors, metadata)
    for _, old in before[: max(0, len(before) + 1 - KEPT)]:
        old.unlink(missing_ok=True)
    return path


def latest_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Read the newest checkpoint that is whole.

    Returns
    -------
    checkpoint : Checkpoint or None
        None if there is none.
    notes : list of str
        One line for each damaged checkpoint that was passed over.

    Raises
    ------
    RunError
        If there are checkpoints, and all are damaged.
    """
    damage: list[str] = []
    files = checkpoint_files(folder)
    for _, path in reversed(files):
        try:
            return _read(path), [f"{line}; the checkpoint before it is used" for line in damage]
        except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
            damage.append(f"{path}: damaged ({error})")
    if files:
        raise RunError(
            f"{folder}: every checkpoint is damaged",
            cause=damage[0],
            remedy="run with --fresh to start again; the damaged files are then removed",
        )
    return None, []


def _read(path: Path) -> Checkpoint:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping, a file
    state = json.loads(metadata["state"])
    if digest(tensors, state) != metadata["digest"]:
        raise ValueError("its content does not match its digest")
    return Checkpoint(tensors=tensors, state=state)


def checkpoint_files(folder: Path) -> list[tuple[int, Path]]:
    """Return the checkpoints of a folder with their numbers, the oldest first."""
    files = [path for path in folder.glob("*.safetensors") if re.fullmatch("[0-9]+", path.stem) and path.is_file()]
    return sorted((int(path.stem), path) for path in files)
