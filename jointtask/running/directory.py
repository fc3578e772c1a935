"""The run directory: which file holds what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from jointtask.api.errors import ConfigError
from jointtask.em.state import Checkpoint
from jointtask.running.checkpoint import checkpoint_files, latest_checkpoint, save_checkpoint
from jointtask.running.lock import LOCK
from jointtask.running.model_file import read_model, require_finite_weights, write_model
from jointtask.tools.files import remove_leftovers, write_atomic
from jointtask.tools.plain import to_plain
from jointtask.tools.tensorfile import save_tensors

__all__ = ["ReadOnlyRunDirectory", "RunDirectory", "panel_files"]

_PANEL = re.compile(r"round-(\d{1,9})-(\d{1,9})\.png", re.ASCII)

_FILES = (
    "finished.json",
    "config.toml",
    "versions.json",
    "history.jsonl",
    "timing.jsonl",
    "report.json",
    "report.html",
    "model.safetensors",
    "latents.safetensors",
)


class RunDirectory:
    """The files of one run.

    Parameters
    ----------
    path : pathlib.Path
        The directory, ``<run.output>/<run.name>``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.versions = path / "versions.json"
        self.model = path / "model.safetensors"
        self.latents = path / "latents.safetensors"
        self.history = path / "history.jsonl"
        self.timing = path / "timing.jsonl"
        self.report = path / "report.json"
        self.page = path / "report.html"
        self.mark = path / "finished.json"
        self.checkpoints = path / "checkpoints"
        self.panels = path / "panels"

    @property
    def exists(self) -> bool:
        """Whether a run has been here."""
        return self.config.exists()

    @property
    def taken(self) -> bool:
        """Whether it holds more than a run leaves that was killed before it had written its `config.toml`."""
        begun = ("checkpoints", "versions.json", LOCK)
        others = (path.name for path in self.path.iterdir() if path.name not in begun)
        return any(not name.endswith(".part") for name in others) or self.has_checkpoints

    @property
    def has_checkpoints(self) -> bool:
        """Whether anything was saved of a training."""
        return bool(checkpoint_files(self.checkpoints))

    def require(self) -> None:
        """Raise a `ConfigError` if no run has been here, or what lies here is no run's (`require_files`)."""
        if not self.exists:
            raise ConfigError(
                f"{self.path} is no run directory",
                cause="it has no config.toml" if self.path.is_dir() else "there is no such folder",
                remedy="name a folder that 'jointtask run' made",
            )
        self.require_files()

    def require_files(self) -> None:
        """Raise a `ConfigError` if one of the files of a run is no file, or one of its folders no folder.

        Everything that a run writes takes the place of what is there, which a folder does not allow; and a pipe, or a
        link to a device, would keep its reader waiting for ever.
        """
        wrong = [path for path in (self.path / name for name in _FILES) if path.exists() and not path.is_file()]
        folders = (self.checkpoints, self.panels)
        wrong += [folder for folder in folders if folder.exists() and not folder.is_dir()]
        for path in wrong:
            kind = "folder" if path.is_dir() else "file" if path.is_file() else "pipe or device"
            expected = "folder" if path in folders else "file"
            raise ConfigError(
                f"{path} is a {kind}, where a run keeps a {expected}",
                remedy="move it away, or give the run another name",
            )

    def clear(self) -> None:
        """Remove the files of a run, and nothing else."""
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)
        for _, path in checkpoint_files(self.checkpoints):
            path.unlink()
        for path in panel_files(self.panels):
            path.unlink()
        self.remove_leftovers()

    def remove_leftovers(self) -> None:
        """Remove the temporary files of a process that was killed; only for the one that holds the lock."""
        for folder in (self.path, self.checkpoints, self.panels):
            remove_leftovers(folder)

    def write_identity(self, config: str, versions: Mapping[str, Any]) -> None:
        """Write `config.toml` and `versions.json`, and make the folder of checkpoints."""
        self.checkpoints.mkdir(exist_ok=True)
        write_atomic(self.versions, json.dumps(versions, indent=2) + "\n")
        write_atomic(self.config, config)

    def read_versions(self) -> dict[str, Any]:
        """Read `versions.json`.

        Raises
        ------
        ConfigError
            If it is missing, damaged or not what a run writes.
        """
        try:
            versions = json.loads(self.versions.read_text(encoding="utf-8"))
            parts = [versions.get(name, {}) for name in ("plugins", "code", "data", "examples")]
            if not all(isinstance(part, dict) for part in parts):
                raise ValueError("its parts are not tables")
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            raise ConfigError(
                f"{self.versions} cannot be read",
                cause=str(error),
                remedy="run with --fresh to start again, or give the run another name",
            ) from error
        return dict(versions)

    def write_lines(self, path: Path, records: Iterable[Any]) -> None:
        """Write `history` or `timing`, one object a line; a number that is not finite becomes null."""
        write_atomic(path, json_lines(records))

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint."""
        save_checkpoint(self.checkpoints, checkpoint)

    def latest_checkpoint(self) -> tuple[Checkpoint | None, list[str]]:
        """Read the newest checkpoint that is whole; return a line for each newer one that is damaged."""
        return latest_checkpoint(self.checkpoints)

    def write_results(
        self, model: Mapping[str, Tensor], description: Mapping[str, Any], latents: Mapping[str, Tensor]
    ) -> None:
        """Write `model.safetensors` and `latents.safetensors`."""
        save_tensors(self.latents, latents)
        write_model(self.model, model, description)

    def read_model(self) -> dict[str, Tensor]:
        """Read the trained weights: of the finished run, or of its last checkpoint.

        Raises
        ------
        ConfigError
            If this is no run directory, nothing has been trained yet, or the weights are damaged.
        """
        self.require()
        if self.model.exists():
            remedy = "run the same command again: it is made again from the last checkpoint"
            return read_model(self.model, remedy if self.has_checkpoints else "train again, or copy it again")
        checkpoint, _ = self.latest_checkpoint()
        if checkpoint is None:
            raise ConfigError(
                f"{self.path} has no trained weights yet", remedy="let the run go on until its first checkpoint"
            )
        # As the run would use them: those of the best round, else their average, else the last.
        prefixes = ("best.", "average.", "model.")
        prefix = next(prefix for prefix in prefixes if any(name.startswith(prefix) for name in checkpoint.tensors))
        tensors = checkpoint.tensors.items()
        weights = {name.removeprefix(prefix): tensor for name, tensor in tensors if name.startswith(prefix)}
        require_finite_weights(weights, self.checkpoints, "start the run again with --fresh")
        return weights


class ReadOnlyRunDirectory(RunDirectory):
    """The directory of a run for all its processes but the leader, which alone writes."""

    def clear(self) -> None:
        """Remove nothing."""

    def remove_leftovers(self) -> None:
        """Leave them to the leader."""

    def write_identity(self, config: str, versions: Mapping[str, Any]) -> None:
        """Write nothing."""

    def write_lines(self, path: Path, records: Iterable[Any]) -> None:
        """Write nothing."""

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write nothing."""

    def write_results(
        self, model: Mapping[str, Tensor], description: Mapping[str, Any], latents: Mapping[str, Tensor]
    ) -> None:
        """Write nothing."""


def panel_files(folder: Path) -> list[Path]:
    """Return the pictures of rounds in a folder, by round: ``round-0003-1.png`` is the first of round 3."""
    if not folder.is_dir():
        return []
    found = [(match, path) for path in folder.iterdir() if (match := _PANEL.fullmatch(path.name)) and path.is_file()]
    return [path for match, path in sorted(found, key=lambda pair: tuple(map(int, pair[0].groups())))]


def json_lines(records: Iterable[Any]) -> str:
    """Return records as JSON, one a line."""
    return "".join(json.dumps(to_plain(record), allow_nan=False) + "\n" for record in records)
