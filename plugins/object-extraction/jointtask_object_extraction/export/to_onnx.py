"""From a trained pair to the bytes of one ONNX model."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jointtask.api import ConfigError, RunError
from jointtask_object_extraction.export.graph import WholePhotograph
from jointtask_object_extraction.export.library import import_onnxruntime

__all__ = ["OPSET", "to_onnx"]

OPSET = 18
"""Of the standard operators that the graph consists of."""

_LONGEST_SIDE = 1 << 15


def to_onnx(module: WholePhotograph, metadata: Mapping[str, str]) -> bytes:
    """Export a module.

    Weights that half precision holds without loss are stored in it.

    Parameters
    ----------
    module : WholePhotograph
        The networks, and all around them, in evaluation mode on the CPU.
    metadata : mapping of str to str
        Plain values that are written into the file beside the graph.

    Raises
    ------
    ConfigError
        If a library that it takes is not installed.
    RunError
        If one of the networks has an operation that cannot be exported.
    """
    try:
        import onnx

        onnxruntime = import_onnxruntime()
        from jointtask_object_extraction.export.translate import TRANSLATION
    except ImportError as error:
        raise ConfigError(
            f"export needs the module '{error.name}'", remedy="pip install 'jointtask-object-extraction[export]'"
        ) from error
    image, box = torch.zeros((300, 400, 3), dtype=torch.uint8), torch.full((4,), torch.nan)
    sides = {axis: torch.export.Dim(name, min=2, max=_LONGEST_SIDE) for axis, name in enumerate(("height", "width"))}
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's exporter warns of its own internals
            program: Any = torch.onnx.export(
                module,
                (image, box),
                dynamo=True,
                dynamic_shapes={"image": sides, "box": None},
                input_names=["image", "box"],
                output_names=["probability", "box_found"],
                opset_version=OPSET,
                custom_translation_table=TRANSLATION,
                optimize=False,  # onnxruntime does it below; torch's optimiser loses an input of Clip
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever an operation that it does not know makes it raise
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise RunError("the networks cannot be exported", cause=reason) from error
    finally:
        quiet.setLevel(level)
    model = program.model_proto
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full(4, np.nan, np.float32), "box"))
    return _finished(_simplified(model, onnxruntime), metadata, onnx)


def _simplified(model: Any, onnxruntime: Any) -> Any:
    """Fold constants and inline functions: standard operators alone, and a third of the time to load."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simplified.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


def _finished(model: Any, metadata: Mapping[str, str], onnx: Any) -> bytes:
    """Drop what describes the export, store weights in half precision where nothing is lost, add the metadata."""
    graph = model.graph
    for node in graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    del graph.value_info[:]
    kept = [each for each in model.opset_import if each.domain in {node.domain for node in graph.node}]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 16:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            name = tensor.name
            tensor.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}.half"))
            casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.name = "object-extraction"
    model.producer_name, model.producer_version = "jointtask", ""
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
