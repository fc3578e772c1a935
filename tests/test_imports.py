"""What the core, its rooms and the plugins may import; `lint-imports` holds the order of the rooms."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jointtask
import jointtask.api
import jointtask.testing
import jointtask.tools

CORE = Path(jointtask.__file__).parent
ALLOWED = {
    "attr",
    "attrs",
    "cattrs",
    "filelock",
    "jinja2",
    "jointtask",
    "lazy_loader",
    "markupsafe",
    "matplotlib",
    "numpy",
    "packaging",
    "platformdirs",
}
ALLOWED |= {"pluggy", "rich", "safetensors", "tomli_w", "torch", "typer"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_the_core_imports_its_own_dependencies_alone() -> None:
    for path in CORE.rglob("*.py"):
        # The fixtures are imported by pytest, and by nothing else.
        own = {"pytest"} if path.name == "pytest_plugin.py" else set()
        foreign = imported(path) - ALLOWED - own - set(sys.stdlib_module_names)
        assert not foreign, f"{path.relative_to(CORE)} imports {', '.join(sorted(foreign))}"


def test_no_room_imports_the_root_package() -> None:
    for path in CORE.glob("*/**/*.py"):
        found = re.findall(r"^\s*(?:from jointtask import .*|import jointtask)$", path.read_text(), re.MULTILINE)
        assert not found, f"{path.relative_to(CORE)}: {found[0].strip()}"


def test_listing_components_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from jointtask.registry.registry import load_registry; load_registry().components('sampler');"
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_is_there() -> None:
    for package in (jointtask, jointtask.api, jointtask.tools, jointtask.testing):
        for name in package.__all__:
            assert getattr(package, name) is not None, f"{package.__name__}.{name}"


def test_the_plugins_know_nothing_of_each_other_but_what_they_depend_on() -> None:
    folders = {path.parent.name: path.parent for path in (CORE.parent / "plugins").glob("*/*/plugin.py")}
    for name, folder in folders.items():
        project = tomllib.loads((folder.parent / "pyproject.toml").read_text())["project"]
        declared = {re.split(r"[^\w-]", text)[0].replace("-", "_") for text in project["dependencies"]}
        for path in folder.rglob("*.py"):
            others = imported(path) & (set(folders) - {name} - declared)
            assert not others, f"{path.relative_to(CORE.parent)} imports {', '.join(sorted(others))}"
