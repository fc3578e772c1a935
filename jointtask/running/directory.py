"""The run directory: which file holds what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from jointtask.api.errors import ConfigError
from jointtask.em.state import Checkpoint
from jointtask.running.checkpoint import latest_checkpoint, save_checkpoint
from jointtask.running.lock import LOCK
from jointtask.tools.files import remove_leftovers, write_atomic
from jointtask.tools.plain import to_plain
from jointtask.tools.tensorfile import save_tensors

__all__ = ["ReadOnlyRunDirectory", "RunDirectory"]


class RunDirectory:
    """The files of one run.

    Parameters
    ----------
    path : pathlib.Path
        ``<run.output>/<run.name>``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.versions = path / "versions.json"
        self.model = path / "model.safetensors"

    @property
    def exists(self) -> bool:
        """Whether a run has been here."""
        return self.config.exists()

    @property
    def taken(self) -> bool:
        """Whether it holds more than what a run leaves that was killed before its `config.toml` was there."""
        begun = ("checkpoints", "versions.json", LOCK)
        others = (path.name for path in self.path.iterdir() if path.name not in begun)
        return any(not name.endswith(".part") for name in others) or any(self.path.glob("checkpoints/*"))

    def require(self) -> None:
        """Raise a `ConfigError` if no run has been here."""
        if not self.exists:
            raise ConfigError(
                f"{self.path} is no run directory",
                cause="it has no config.toml" if self.path.is_dir() else "there is no such folder",
                remedy="name a folder that 'jointtask run' made",
            )

    def clear(self) -> None:
        """Remove the files of a run, and nothing else."""
        names = ("config.toml", "versions.json", "history.jsonl", "timing.jsonl", "report.json", "report.html")
        for path in [*(self.path / name for name in names), self.model, self.path / "latents.safetensors"]:
            path.unlink(missing_ok=True)
        for path in (self.path / "checkpoints").glob("*.safetensors"):
            path.unlink()

    def remove_leftovers(self) -> None:
        """Remove the temporary files of a process that was killed; only for the one that holds the lock."""
        for folder in (self.path, self.path / "checkpoints"):
            remove_leftovers(folder)

    def write_identity(self, config: str, versions: Mapping[str, Any]) -> None:
        """Write `config.toml` and `versions.json`, and make the folder of checkpoints."""
        (self.path / "checkpoints").mkdir(exist_ok=True)
        write_atomic(self.versions, json.dumps(versions, indent=2) + "\n")
        write_atomic(self.config, config)

    def read_versions(self) -> dict[str, Any]:
        """Read `versions.json`."""
        try:
            versions: dict[str, Any] = json.loads(self.versions.read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self.versions} cannot be read",
                cause=str(error),
                remedy="run with --fresh to start again, or give the run another name",
            ) from error
        return versions

    def write_lines(self, name: str, records: Iterable[Any]) -> None:
        """Write `history.jsonl` or `timing.jsonl`, one object a line; what is not a finite number is null."""
        write_atomic(
            self.path / name, "".join(json.dumps(to_plain(record), allow_nan=False) + "\n" for record in records)
        )

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint."""
        save_checkpoint(self.path / "checkpoints", checkpoint)

    def latest_checkpoint(self) -> tuple[Checkpoint | None, list[str]]:
        """Read the newest checkpoint that is whole, and say which were not."""
        return latest_checkpoint(self.path / "checkpoints")

    def write_results(self, model: Mapping[str, Tensor], latents: Mapping[str, Tensor]) -> None:
        """Write `model.safetensors` and `latents.safetensors`."""
        save_tensors(self.path / "latents.safetensors", latents)
        save_tensors(self.model, model)

    def read_model(self) -> dict[str, Tensor]:
        """Read the trained weights: of the finished run, or of its last checkpoint.

        Raises
        ------
        ConfigError
            If this is no run directory, or nothing has been trained yet.
        """
        self.require()
        if self.model.exists():
            try:
                return load_file(self.model)
            except (SafetensorError, OSError) as error:
                raise ConfigError(
                    f"{self.model} is damaged",
                    cause=str(error),
                    remedy="delete it and run the same command again: it is made again from the last checkpoint",
                ) from error
        checkpoint, _ = self.latest_checkpoint()
        if checkpoint is None:
            raise ConfigError(
                f"{self.path} has no trained weights yet", remedy="let the run go on until its first checkpoint"
            )
        # As the run would use them: those of the best round, else their average, else the last.
        prefixes = ("best.", "average.", "model.")
        prefix = next(prefix for prefix in prefixes if any(name.startswith(prefix) for name in checkpoint.tensors))
        return {
            name.removeprefix(prefix): tensor for name, tensor in checkpoint.tensors.items() if name.startswith(prefix)
        }


class ReadOnlyRunDirectory(RunDirectory):
    """The directory of a run as all its processes but the leader see it: what they would write, the leader writes."""

    def clear(self) -> None:
        """Leave it as it is."""

    def remove_leftovers(self) -> None:
        """Leave them to the leader."""

    def write_identity(self, config: str, versions: Mapping[str, Any]) -> None:
        """Write nothing."""

    def write_lines(self, name: str, records: Iterable[Any]) -> None:
        """Write nothing."""

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write nothing."""

    def write_results(self, model: Mapping[str, Tensor], latents: Mapping[str, Tensor]) -> None:
        """Write nothing."""
