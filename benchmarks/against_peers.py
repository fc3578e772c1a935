"""A run beside other programs, image by image: ``python benchmarks/against_peers.py SCORES.json PEERS.json``.

SCORES.json is what ``jointtask evaluate RUN --json`` printed, with the metrics iou, pixel-accuracy and mae among its
own; PEERS.json is ``{peer: {id: [P, J, MAE]}}``, scores in [0, 1]. Differences are paired over the images, with a
bootstrap interval of 95 %.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from jointtask.tools.statistics import bootstrap_interval

METRICS = (("P, %", "pixel-accuracy", 100.0), ("J, %", "iou", 100.0), ("MAE", "mae", 1.0))


def main(scores: Path, peers: Path) -> None:
    own = json.loads(scores.read_text())["per_example"]
    print("| | " + " | ".join(name for name, _, _ in METRICS) + " |\n|---|" + "---|" * len(METRICS))
    for row, (peer, theirs) in enumerate(json.loads(peers.read_text()).items()):
        ids = sorted(theirs)
        ours = np.array([[own[metric][key] for key in ids] for _, metric, _ in METRICS])
        values = np.array([theirs[key] for key in ids]).T
        if row == 0:
            means = [_number(mine.mean() * f, f) for mine, (_, _, f) in zip(ours, METRICS, strict=True)]
            print(f"| this run, {len(ids)} images | {' | '.join(means)} |")
        cells = []
        for (_, _, factor), mine, other in zip(METRICS, ours, values, strict=True):
            low, high = bootstrap_interval((mine - other)[None]) or (np.nan, np.nan)
            cells.append(
                f"{_number(other.mean() * factor, factor)} ({_number(low * factor, factor, sign=True)} to"
                f" {_number(high * factor, factor, sign=True)})"
            )
        print(f"| {peer} (this run minus it) | {' | '.join(cells)} |")


def _number(value: float, factor: float, *, sign: bool = False) -> str:
    digits = 2 if factor > 1 else 4
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
