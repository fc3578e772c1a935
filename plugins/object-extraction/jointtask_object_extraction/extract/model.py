"""What predicts an object: a trained run, the run that ships with this plugin, or another predictor by its name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jointtask.api import ConfigError, Context, NoSettings, Progress
from jointtask_object_extraction.photograph import FRAME, Extraction, Photograph

__all__ = [
    "SHIPPED",
    "FunctionModel",
    "Model",
    "RunModel",
    "load_run",
    "load_shipped",
    "open_model",
    "shipped",
]

SHIPPED = Path(__file__).parents[1] / "model"
"""The run directory of the model that ships: its resolved run file, and its weights in half precision."""

_SHIPPED_ONNX = "shipped-onnx"
"""Name of the same model as an exported file, which needs no torch."""

_INSTALL = "install it again: pip install --force-reinstall --no-deps jointtask-object-extraction"


class Model(Protocol):
    """What extracts objects from photographs; safe to call from several threads at once.

    Attributes
    ----------
    device : str
        Name of the device that it runs on; empty if it does not say.
    """

    @property
    def device(self) -> str:  # noqa: D102  # an attribute, described above
        ...

    def extract(self, photographs: Sequence[Photograph]) -> list[Extraction]:
        """Extract from photographs, together, at their own sizes."""
        ...

    def extract_inside(self, photograph: Photograph, boxes: NDArray[np.floating]) -> list[Extraction]:
        """Extract what each of some boxes (K, 4) holds, half-open (x1, y1, x2, y2) in pixels of the photograph.

        Raises
        ------
        ConfigError
            If it is not a model that looks inside boxes.
        """
        ...

    def sample(self, photograph: Photograph, draws: int) -> NDArray[np.float32]:
        """Return the probabilities in the frame under boxes drawn from their posterior: (draws, F, F).

        Raises
        ------
        ConfigError
            If it has no posterior over boxes.
        """
        ...


class RunModel:
    """A trained run as a `Model`.

    Parameters
    ----------
    predictor : Predictor
        Predictor of the run, from `jointtask.load_predictor`.
    """

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor

    @property
    def predictor(self) -> Any:
        """The `Predictor` of the run."""
        return self._predictor

    @property
    def device(self) -> str:
        """Type of the device that the networks run on."""
        return str(self._predictor.pair.device.type)

    def extract(self, photographs: Sequence[Photograph]) -> list[Extraction]:
        """Extract from photographs, together, at their own sizes."""
        extractions: list[Extraction] = self._predictor.predict(photographs)
        return extractions

    def extract_inside(self, photograph: Photograph, boxes: NDArray[np.floating]) -> list[Extraction]:
        """Extract what each of some boxes (K, 4) holds; the context that the run was trained with is added to them."""
        import torch

        from jointtask_object_extraction.bridge.crop import enlarge

        height, width = photograph.image.shape[:2]
        units = np.asarray(boxes, dtype=np.float32) * FRAME / np.array([width, height, width, height], np.float32)
        bridge = self._predictor.pair.bridge
        reference = enlarge(torch.from_numpy(units.astype(np.float32)), bridge.context)[None]
        frames = self._predictor.predict_inside(bridge.frames([photograph]), reference)[0].cpu()
        return [bridge.finish(frame, box, photograph) for frame, box in zip(frames, reference[0], strict=True)]

    def sample(self, photograph: Photograph, draws: int) -> NDArray[np.float32]:
        """Return the probabilities in the frame under boxes drawn from their posterior: (draws, F, F)."""
        bridge = self._predictor.pair.bridge
        drawn = self._predictor.sample_frames(bridge.frames([photograph]), [photograph.id], draws)
        probabilities: NDArray[np.float32] = drawn[0].float().cpu().numpy()
        return probabilities


class FunctionModel:
    """A predictor of one photograph as a `Model`; it takes no boxes and has no posterior.

    Parameters
    ----------
    function : callable
        Extracts from one photograph.
    name : str
        Name of the predictor, for error messages.
    """

    def __init__(self, function: Callable[[Photograph], Extraction], name: str) -> None:
        self._function = function
        self._name = name
        self.device = ""

    def extract(self, photographs: Sequence[Photograph]) -> list[Extraction]:
        """Extract from photographs, one after the other."""
        return [self._function(photograph) for photograph in photographs]

    def extract_inside(self, photograph: Photograph, boxes: NDArray[np.floating]) -> list[Extraction]:
        """Refuse: the predictor takes whole photographs alone."""
        raise ConfigError(
            f"the predictor '{self._name}' takes no boxes, points or numbers of objects",
            remedy="leave --model out, or name a run directory",
        )

    def sample(self, photograph: Photograph, draws: int) -> NDArray[np.float32]:
        """Refuse: the predictor has no posterior."""
        raise ConfigError(
            f"the predictor '{self._name}' has no posterior to draw from",
            remedy="leave --model out, or name a run directory",
        )


def open_model(model: str | Path, device: Any, progress: Progress, *, threads: int = 0) -> Model:
    """Open a run directory, an exported model, or a predictor named as in `evaluate.predictors`.

    Parameters
    ----------
    model : str or path
        A run directory, the .onnx file of an exported model, `shipped-onnx`, or the name of a predictor.
    device : str or torch.device
        Device of a run's networks; exported models run on the CPU.
    progress : Progress
        Receiver of what loading reports.
    threads : int
        Number of threads of one photograph, for torch in the whole process; 0 leaves it to the library.

    Raises
    ------
    ConfigError
        If it is none of these, or does not extract objects.
    """
    if model == _SHIPPED_ONNX or Path(model).suffix.lower() == ".onnx":
        from jointtask_object_extraction.export.runtime import open_onnx

        return open_onnx(_shipped_onnx() if model == _SHIPPED_ONNX else model, threads=threads)
    if threads:
        import torch

        torch.set_num_threads(threads)
    from jointtask import named_predictor

    if model == "shipped":
        return load_shipped(device, progress)
    if Path(model).is_dir():
        return load_run(Path(model), device, progress)
    function = named_predictor(str(model), device=device, progress=progress)
    _require_extraction(function, str(model))
    return FunctionModel(function, str(model))


def _shipped_onnx() -> Path:
    """Return the file of the model that ships, exported.

    Raises
    ------
    ConfigError
        If it is missing.
    """
    path = SHIPPED / "model.onnx"
    if not path.is_file():
        raise ConfigError("the exported model that ships is missing", cause=f"there is no {path}", remedy=_INSTALL)
    return path


def load_run(directory: Path, device: Any, progress: Progress) -> RunModel:
    """Load a trained run.

    Raises
    ------
    ConfigError
        If it is a run of another pair of tasks, or holds no weights.
    """
    from jointtask import load_predictor
    from jointtask_object_extraction.bridge.box import BoxBridge

    predictor = load_predictor(directory, device=device, progress=progress)
    if not isinstance(predictor.pair.bridge, BoxBridge):
        raise ConfigError(f"{directory} does not extract objects", cause="it is a run with another bridge than boxes")
    return RunModel(predictor)


def load_shipped(device: Any, progress: Progress) -> RunModel:
    """Load the model that ships.

    Raises
    ------
    ConfigError
        If its weights are missing, or are not those that were installed.
    """
    try:
        expected = (SHIPPED / "model.sha256").read_text().split()[0]
        with (SHIPPED / "model.safetensors").open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError, IndexError) as error:
        raise ConfigError("the model that ships is incomplete", cause=str(error), remedy=_INSTALL) from error
    if found != expected:
        raise ConfigError(
            "the model that ships is damaged", cause=f"{SHIPPED / 'model.safetensors'} was changed", remedy=_INSTALL
        )
    return load_run(SHIPPED, device, progress)


def shipped(settings: NoSettings, context: Context) -> Callable[[Photograph], Extraction]:
    """Build `shipped`: the trained model that comes with this plugin (its model card is docs/model-card.md)."""
    model = load_shipped(context.device.type, context.progress)
    return lambda photograph: model.extract([photograph])[0]


def _require_extraction(function: Callable[[Photograph], Any], name: str) -> None:
    """Try a predictor on a small photograph: those of other pairs of tasks want other examples.

    Raises
    ------
    ConfigError
        If it does not give an `Extraction`.
    """
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    image[4:12, 4:12] = (200, 60, 30)
    try:
        given: Any = function(Photograph("trial", image, None))
    except Exception as error:  # an odd predictor may raise anything at an example that is not its own
        raise ConfigError(
            f"the predictor '{name}' does not extract objects", cause=f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(given, Extraction):
        raise ConfigError(
            f"the predictor '{name}' does not extract objects", cause=f"it gives a {type(given).__name__}"
        )
