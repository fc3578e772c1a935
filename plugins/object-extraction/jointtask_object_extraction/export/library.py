"""`onnxruntime`, imported in one place, so that it sends nothing."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["import_onnxruntime"]


def import_onnxruntime() -> Any:
    """Import `onnxruntime` with its telemetry switched off.

    From version 1.29 on, its wheels for Linux and macOS report each session to their makers unless the variable
    `ORT_DISABLE_TELEMETRY` is set before they are loaded. A value that a user has set stays.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # on Windows, which does not read the variable
    return onnxruntime
