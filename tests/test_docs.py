from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from jointtask.registry import KINDS, load_registry

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_the_run_file_is_not_stale(generate: ModuleType) -> None:
    registry = load_registry()
    written = (DOCS / "run-file.md").read_text()
    installed = {row.source.distribution for row in registry.rows() if row.state == "loaded"}
    if installed.issuperset(generate.DISTRIBUTIONS):
        assert generate.run_file_page(registry) == written, "run: python docs/generate.py"
    for kind in KINDS:
        assert generate.section(registry, kind, "jointtask") in written


def test_every_command_and_option_is_in_the_documentation(generate: ModuleType) -> None:
    written = (DOCS / "commands.md").read_text()
    for name in ("run", "check", "evaluate", "plugins", "components"):
        assert f"## `jointtask {name}`" in written
    for option in ("--set", "--output", "--plugin", "--fresh", "--json"):
        assert option in written
