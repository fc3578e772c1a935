"""What a run spent its time on, from its `timing.jsonl`: ``python benchmarks/shares.py RUN``.

Wall-clock seconds of training. Data made before it, and scores made after it, are in no run's clock.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def main(run: Annotated[Path, typer.Argument(help="A run directory.")]) -> None:
    entries = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()]
    phases = list(dict.fromkeys(entry["phase"] for entry in entries))
    parts = {"warm-up": [e for e in entries if e["round"] == 0], "rounds": [e for e in entries if e["round"] > 0]}
    print(f"| seconds | all | {' | '.join(phases)} |\n|---|---|{'---|' * len(phases)}")
    for name, some in {**parts, "whole": entries}.items():
        spent = [sum(entry["seconds"] for entry in some if entry["phase"] == phase) for phase in phases]
        whole = sum(spent)
        cells = (f"{seconds:.1f} ({seconds / (whole or 1):.1%})" for seconds in spent)
        print(f"| {name} | {whole:.1f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    typer.run(main)
