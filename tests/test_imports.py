"""The core knows no plugin, and nothing of what plugins are about."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jointtask

CORE = Path(jointtask.__file__).parent
ALLOWED = {
    "attr",
    "attrs",
    "cattrs",
    "jinja2",
    "jointtask",
    "markupsafe",
    "matplotlib",
    "numpy",
    "packaging",
    "platformdirs",
}
ALLOWED |= {"pluggy", "rich", "safetensors", "tomli_w", "torch", "typer", "fcntl"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_the_core_imports_its_own_dependencies_alone() -> None:
    import sys

    for path in CORE.rglob("*.py"):
        # The fixtures are imported by pytest, and by nothing else.
        own = {"pytest"} if path.name == "pytest_plugin.py" else set()
        foreign = imported(path) - ALLOWED - own - set(sys.stdlib_module_names)
        assert not foreign, f"{path.relative_to(CORE)} imports {', '.join(sorted(foreign))}"


def test_no_file_of_the_core_speaks_of_what_a_pair_is_about() -> None:
    words = re.compile(r"\b(box|boxes|photograph|photographs|superpixel|superpixels)\b", re.IGNORECASE)
    for path in CORE.rglob("*.py"):
        found = words.search(path.read_text())
        assert found is None, f"{path.relative_to(CORE)} says '{found.group()}'"
