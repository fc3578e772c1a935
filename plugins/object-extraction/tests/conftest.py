"""The real images beside the project, for the tests marked `shared`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def duts() -> Path:
    """The folder of DUTS-TR, with `images`, `masks` and `val.txt`."""
    folder = HERE.parents[3] / "shared" / "data" / "DUTS-TR"
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}")
    return folder


@pytest.fixture
def pysod_reference() -> ModuleType:
    """The script that made `pysod_reference.json`, which says of which maps."""
    pytest.importorskip("cv2")
    spec = importlib.util.spec_from_file_location("make_pysod_reference", HERE / "metrics" / "make_pysod_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not module.ECSSD.is_dir():
        pytest.skip(f"no real images at {module.ECSSD}")
    return module
