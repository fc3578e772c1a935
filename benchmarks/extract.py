"""Images a second of `jointtask extract`, and its cold start: ``python benchmarks/extract.py FOLDER_OF_IMAGES``.

One run measures all of it on the same images: torch and ONNX, one process and two, and the time from the start of
Python to the first cut-out beside that of ``import torch`` alone. CPU seconds stand beside the clock's, as a machine
that others use stretches the clock.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

COUNT = 40
ROUNDS = 3
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def timed(command: Sequence[str]) -> tuple[float, float]:
    """Run a command; return the seconds that it took and those of the CPU."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def best(command: Sequence[str]) -> dict[str, float]:
    """Return the least of several runs."""
    runs = [timed(command) for _ in range(ROUNDS)]
    return {"seconds": round(min(run[0] for run in runs), 2), "cpu": round(min(run[1] for run in runs), 2)}


def say(what: str, row: dict[str, float]) -> None:
    print(json.dumps({"what": what, **row}), flush=True)


def main(images: Path) -> None:
    """Measure, and print one JSON object a line."""
    jointtask = [sys.executable, "-m", "jointtask"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        chosen = sorted(path for path in images.iterdir() if path.suffix == ".jpg")[:COUNT]
        for path in chosen:
            shutil.copy(path, folder / "images")
        onnx = str(folder / "model.onnx")
        subprocess.run([*jointtask, "export", "shipped", "--to", onnx], check=True, capture_output=True)
        one = [*jointtask, "extract", str(chosen[0]), "--to", str(folder / "one"), "--overwrite", "--model"]
        all_ = [*jointtask, "extract", str(folder / "images"), "--to", str(folder / "all"), "--overwrite"]
        say("import torch", best([sys.executable, "-c", "import torch"]))
        for model, title in (("shipped", "torch"), (onnx, "ONNX")):
            say(f"one photograph, {title}", best([*one, model]))
        for model, title in (("shipped", "torch"), (onnx, "ONNX")):
            for workers in (1, 2):
                row = best([*all_, "--workers", str(workers), "--model", model])
                row["images a second"] = round(len(chosen) / row["seconds"], 2)
                say(f"{len(chosen)} photographs, {title}, processes: {workers}", row)
    print(json.dumps({"load": os.getloadavg()[0], "cores": os.cpu_count()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
