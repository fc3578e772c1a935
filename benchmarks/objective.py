"""Figure 4 of the paper, redrawn from a comparison: ``python benchmarks/objective.py COMPARISON OUT.svg``.

The objective (Eq. 6) at the estimates of each round's E-step, mean over seeds, one line an arm.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np


def main(comparison: Path, out: Path) -> None:
    curves: dict[str, list[list[float]]] = defaultdict(list)
    for path in sorted(comparison.glob("*-seed-*/history.jsonl")):
        rounds = [json.loads(line)["estimate"] for line in path.read_text().splitlines()]
        totals = [estimate["upstream"] + estimate["downstream"] for estimate in rounds if estimate]
        curves[path.parent.name.rpartition("-seed-")[0]].append(totals)
    plt.rcParams["svg.hashsalt"] = "jointtask"  # the same file every time
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for arm, seeds in curves.items():
        mean = np.mean(seeds, axis=0)
        axes.plot(np.arange(1, len(mean) + 1), mean, marker="o", label=arm)
    axes.set(xlabel="round", ylabel="objective (Eq. 6), mean over images", xticks=np.arange(1, len(mean) + 1))
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
