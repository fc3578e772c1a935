"""`accumulate` as an ONNX function: a loop over the cells of each window.

Its body is not run: onnxscript reads it as text and makes operators of it, so mypy leaves this file out.
"""
# mypy: ignore-errors

from __future__ import annotations

from typing import Any

import torch
from onnxscript import FLOAT, INT64, script
from onnxscript import opset18 as op
from onnxscript.values import Opset

from jointtask_object_extraction.export import resample  # noqa: F401  # it registers the operator

__all__ = ["TRANSLATION"]

_DOMAIN = Opset("jointtask_object_extraction", 1)


@script(_DOMAIN, default_opset=op)
def _accumulate(values: FLOAT, index: INT64, weight: FLOAT) -> FLOAT:
    total = op.Gather(values, op.Gather(index, 0, axis=0), axis=1) * 0.0
    count = op.Squeeze(op.Shape(index, start=0, end=1))
    for tap in range(count):
        taken = op.Gather(values, op.Gather(index, tap, axis=0), axis=1)
        total = total + taken * op.Unsqueeze(op.Gather(weight, tap, axis=0), 1)
    return total


TRANSLATION: dict[Any, Any] = {torch.ops.jointtask_object_extraction.accumulate.default: _accumulate}
"""What the exporter puts in the place of the plugin's own operators."""
