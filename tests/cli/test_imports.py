"""What the light commands import: nothing that takes longer than the command itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "matplotlib", "scipy", "skimage", "cv2", "sklearn", "PIL", "jinja2", "rich", "pandas"}


@pytest.mark.parametrize("arguments", ["--help", "--version", "run --help", "compare --help", "plugins", "components"])
def test_light_commands_import_nothing_heavy(arguments: str) -> None:
    code = (
        "import sys; from jointtask.cli import main\n"
        f"try: main({arguments.split()!r})\n"
        f"finally: print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
