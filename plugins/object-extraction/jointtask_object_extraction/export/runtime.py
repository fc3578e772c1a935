"""An exported model at use: `onnxruntime` runs it, and torch is not imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jointtask.api import ConfigError
from jointtask_object_extraction.export.library import import_onnxruntime
from jointtask_object_extraction.photograph import Extraction, Photograph

__all__ = ["PAIR", "OnnxModel", "open_onnx"]

PAIR = "object-extraction"
"""What the metadata of an exported model says under `jointtask`."""


class OnnxModel:
    """An exported model as a `jointtask_object_extraction.extract.model.Model`.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        A session of the graph; it may be shared by threads.
    name : str
        Name of the file, for error messages.
    """

    device = "cpu"

    def __init__(self, session: Any, name: str) -> None:
        self._session = session
        self._name = name

    def extract(self, photographs: Sequence[Photograph]) -> list[Extraction]:
        """Extract from photographs, one after the other, at their own sizes."""
        return [self._run({"image": photograph.image}) for photograph in photographs]

    def extract_inside(self, photograph: Photograph, boxes: NDArray[np.floating]) -> list[Extraction]:
        """Extract what each of some boxes (K, 4) holds, half-open (x1, y1, x2, y2) in pixels of the photograph."""
        rows = np.asarray(boxes, dtype=np.float32)
        return [self._run({"image": photograph.image, "box": row}) for row in rows]

    def sample(self, photograph: Photograph, draws: int) -> NDArray[np.float32]:
        """Refuse: the graph predicts one box and no distribution of boxes."""
        raise ConfigError(
            f"{self._name} has no posterior to draw from",
            cause="exported models predict one box",
            remedy="use the run that it was exported from",
        )

    def _run(self, inputs: dict[str, NDArray[Any]]) -> Extraction:
        inputs["image"] = np.ascontiguousarray(inputs["image"])
        probability, box = self._session.run(None, inputs)
        return Extraction(probability.clip(0, 1), box)


def open_onnx(path: str | Path, *, threads: int = 0) -> OnnxModel:
    """Open an exported model.

    Parameters
    ----------
    path : path
        The file.
    threads : int
        Number of threads of one photograph; 0 leaves it to onnxruntime.

    Raises
    ------
    ConfigError
        If onnxruntime is not installed, or the file is not what `jointtask export` wrote.
    """
    try:
        onnxruntime = import_onnxruntime()
    except ImportError as error:
        raise ConfigError(
            f"{path}: an exported model needs onnxruntime", remedy="pip install 'jointtask-object-extraction[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an exception of its own for every way in which a file is broken
        cause = " ".join(str(error).split())
        raise ConfigError(f"{path} cannot be read as an ONNX model", cause=cause) from error
    given = session.get_modelmeta().custom_metadata_map
    if given.get("jointtask") != PAIR:
        raise ConfigError(
            f"{path} is not a model that `jointtask export` wrote",
            cause="its metadata does not say so",
            remedy="write one with `jointtask export RUN --to FILE`",
        )
    return OnnxModel(session, str(path))
