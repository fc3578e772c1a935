"""The core knows no plugin, and nothing of what plugins are about."""

from __future__ import annotations

import ast
import re
import tomllib
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


WORDS = re.compile(
    r"\b(box(es)?|images?|photographs?|pixels?|superpixels?|digits?|rotations?|rotated|heartbeats?|recordings?|signals?)\b",
    re.IGNORECASE,
)
OTHER_MEANINGS = ("letters and digits", "significant digits")  # of names, and of numbers


def test_no_file_of_the_core_speaks_of_what_a_pair_is_about() -> None:
    for path in CORE.rglob("*.py"):
        text = path.read_text()
        for phrase in OTHER_MEANINGS:
            text = text.replace(phrase, "")
        if "signal" in imported(path):  # such a file speaks of those that the operating system sends
            text = re.sub(r"\bsignals?\b", "", text, flags=re.IGNORECASE)
        found = WORDS.search(text)
        assert found is None, f"{path.relative_to(CORE)} says '{found.group()}'"


def test_the_guard_of_words_finds_them() -> None:
    for text in ("the box", "Images of", "two digits", "a signal's", "HEARTBEATS"):
        assert WORDS.search(text), text
    for text in ("digest", "boxed_in", "isdigit", "imagine"):
        assert not WORDS.search(text), text


def test_the_plugins_know_nothing_of_each_other_but_what_they_depend_on() -> None:
    folders = {path.parent.name: path.parent for path in (CORE.parent / "plugins").glob("*/*/plugin.py")}
    for name, folder in folders.items():
        project = tomllib.loads((folder.parent / "pyproject.toml").read_text())["project"]
        declared = {re.split(r"[^\w-]", text)[0].replace("-", "_") for text in project["dependencies"]}
        for path in folder.rglob("*.py"):
            others = imported(path) & (set(folders) - {name} - declared)
            assert not others, f"{path.relative_to(CORE.parent)} imports {', '.join(sorted(others))}"
