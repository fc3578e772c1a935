"""The command `jointtask export`: a trained run as one ONNX file."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from jointtask.api import ConfigError, RunError
from jointtask.tools import open_progress, write_atomic

__all__ = ["export"]

_SHIPPED_LICENCE = "for research: that of DUTS and ImageNet; see the model card"


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run directory, or `shipped`.")],
    to: Annotated[Path, typer.Option("--to", help="The file to write, .onnx.", show_default=False)],
    licence: Annotated[str, typer.Option("--licence", help="Licence of the weights, written into the file.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
) -> None:
    """Write a trained run as one ONNX graph: a photograph of any size in, its probability map and box out.

    The file is checked against torch on 20 photographs before it is written. `jointtask extract --model FILE` uses it,
    without torch.
    """
    if to.suffix.lower() != ".onnx":
        raise ConfigError(f"--to must end in .onnx, got '{to}'")
    if to.is_dir() or not to.parent.is_dir():
        raise ConfigError(f"{to} cannot be written", cause="its folder is missing, or it is a folder")
    if to.exists() and not overwrite:
        raise ConfigError(f"{to} exists already", remedy="choose another --to, or replace it with --overwrite")
    from jointtask_object_extraction.extract.model import SHIPPED, load_run

    directory = SHIPPED if run == "shipped" and not Path(run).exists() else Path(run)
    progress = open_progress()
    model = load_run(directory, "cpu", progress)

    from jointtask_object_extraction.export.graph import WholePhotograph
    from jointtask_object_extraction.export.library import import_onnxruntime
    from jointtask_object_extraction.export.runtime import PAIR, OnnxModel
    from jointtask_object_extraction.export.to_onnx import OPSET, to_onnx
    from jointtask_object_extraction.export.verify import (
        BOX_LIMIT,
        PROBABILITY_LIMIT,
        compare_models,
        trial_photographs,
    )
    from jointtask_object_extraction.photograph import FRAME

    predictor = model.predictor
    if predictor.draws > 1:
        raise ConfigError(
            f"{directory} predicts with {predictor.draws} boxes (predict.draws), and an exported graph with one",
            remedy="evaluate the run with predict.draws = 1, and export that",
        )
    module = WholePhotograph(predictor).eval()
    config = (directory / "config.toml").read_text(encoding="utf-8")
    metadata = {
        "jointtask": PAIR,
        "classes": json.dumps(["background", "object"]),
        "inputs": "image: uint8 (height, width, 3), RGB; box: float32 (4,), x1 y1 x2 y2 in pixels, NaN: predicted",
        "outputs": "probability: float32 (height, width); box_found: float32 (4,), x1 y1 x2 y2 in pixels",
        "frame": f"{FRAME} x {FRAME}",
        "threshold": "0.5",
        "licence": licence or (_SHIPPED_LICENCE if directory == SHIPPED else "not stated"),
        "run": str(tomllib.loads(config)["run"]["name"]),
        "weights": hashlib.sha256((directory / "model.safetensors").read_bytes()).hexdigest(),
        "config": config,
    }
    progress.say("exporting")
    content = to_onnx(module, metadata)
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    exported = OnnxModel(onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]), str(to))
    progress.say("verifying against torch")
    agreement = compare_models(
        lambda photograph: model.extract([photograph])[0],
        lambda photograph: exported.extract([photograph])[0],
        trial_photographs(),
    )
    said = (
        f"on {agreement.photographs} photographs of {agreement.sizes} sizes, probabilities differ from torch's by at "
        f"most {agreement.probability:.1e}, boxes by {agreement.box:.1e} units"
    )
    if not agreement.accepted:
        raise RunError(f"{to} was not written: {said}", cause=f"the limits are {PROBABILITY_LIMIT:g} and {BOX_LIMIT:g}")
    write_atomic(to, content)
    typer.echo(f"{to}: {len(content) / 1e6:.1f} MB, opset {OPSET}, photographs of any size; {said}")
    typer.echo(f"next:\n  jointtask extract PHOTOGRAPHS --to DIR --model {os.fspath(to)}")
