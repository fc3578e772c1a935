"""How long `jointtask --help` takes: the median of many starts, beside an interpreter that does nothing.

python benchmarks/help.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

STARTS = 21


def seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print both medians, taken in turns."""
    nothing, shown = zip(
        *((seconds(["-c", ""]), seconds(["-m", "jointtask", "--help"])) for _ in range(STARTS)), strict=True
    )
    print(f"python -c '': {statistics.median(nothing):.3f} s")
    print(f"jointtask --help: {statistics.median(shown):.3f} s, median of {STARTS} (fastest {min(shown):.3f} s)")


if __name__ == "__main__":
    main()
