"""How long `jointtask --help` and `jointtask extract` of one photograph take, beside what no command can avoid.

The help is that with all plugins and with the core alone; the first call, which remembers the plugins' commands, is not
counted. `extract` needs the object-extraction plugin, and is left out without it.

python benchmarks/help.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from jointtask.registry.registry import load_registry

STARTS = 21


def seconds(arguments: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        env=os.environ | environment,
    )
    return time.perf_counter() - start


def main() -> None:
    """Print the median of each, taken in turns."""
    others = [row.source.plugin for row in load_registry().rows() if row.source.plugin != "jointtask"]
    cases = {
        "python -c ''": (["-c", ""], {}),
        "jointtask --help, the core alone": (
            ["-m", "jointtask", "--help"],
            {"JOINTTASK_DISABLE_PLUGINS": ",".join(others)},
        ),
        f"jointtask --help, with {', '.join(others)}": (["-m", "jointtask", "--help"], {}),
        "python -c 'import torch'": (["-c", "import torch"], {}),
    }
    if "object-extraction" in others:
        from PIL import Image

        folder = Path(tempfile.mkdtemp(prefix="jointtask-help-"))
        pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "one.jpg")
        command = ["-m", "jointtask", "extract", str(folder / "one.jpg"), "--to", str(folder / "out"), "--overwrite"]
        cases["jointtask extract one.jpg (400 x 300 pixels)"] = (command, {})
    for arguments, environment in cases.values():
        seconds(arguments, environment)
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(STARTS):
        for name, (arguments, environment) in cases.items():
            taken[name].append(seconds(arguments, environment))
    for name, values in taken.items():
        print(f"{name}: {statistics.median(values):.3f} s, median of {STARTS} (fastest {min(values):.3f} s)")


if __name__ == "__main__":
    main()
