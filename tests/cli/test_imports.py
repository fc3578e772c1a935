"""What the light commands import: nothing that takes longer than the command itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def test_the_second_help_loads_no_plugin_at_all(tmp_path: Path) -> None:
    code = (
        "import sys; from jointtask.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print('jointtask.registry.registry' in sys.modules, file=sys.stderr)"
    )
    environment = os.environ | {"JOINTTASK_CACHE": str(tmp_path)}
    calls = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [done.stderr.splitlines()[-1] for done in calls] == ["True", "False"]
    assert calls[0].stdout == calls[1].stdout
