"""What fine-tuning the shipped model gains, by the number of images: ``python benchmarks/finetune.py FOLDER``.

Two kinds of images that the shipped model has not learned from: photographs of DUTS-TR's `val.txt`, which are of the
kind that it was trained on, and generated scenes, which are not. Each run is what `jointtask finetune` writes; it is
scored on images that it has neither learned from nor validated on.
"""

from __future__ import annotations

import json
import os
import sys
import time
from hashlib import blake2b
from pathlib import Path

from jointtask_object_extraction.finetune.outcome import gain_of
from jointtask_object_extraction.finetune.runfile import VALIDATION, epochs_for, finetune_file

from jointtask import run_file
from jointtask.tools import write_atomic

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from photographs import write_scenes

COUNTS = (30, 100, 300)
DUTS = Path(__file__).parents[2] / "shared" / "data" / "DUTS-TR"


def measure(folder: Path, kind: str, count: int) -> dict[str, object]:
    """Fine-tune on `count` images of a kind, and score on images of it that were not used."""
    ids = folder / f"{kind}-{count}.txt"
    if kind == "photographs":
        images, masks = DUTS / "images", DUTS / "masks"
        known = sorted((DUTS / "val.txt").read_text().split(), key=lambda name: blake2b(name.encode()).digest())
        rest = folder / "photographs-rest.txt"
        write_atomic(rest, "\n".join(sorted(known[max(COUNTS) :])))
        test = ["name=image-folder", f"images={images}", f"masks={masks}", f"ids={rest}"]
    else:
        images, masks = folder / "scenes" / "images", folder / "scenes" / "masks"
        if not images.exists():
            write_scenes(folder / "scenes", max(COUNTS))
        known = sorted((path.stem for path in images.iterdir()), key=lambda name: blake2b(name.encode()).digest())
        test = ["name=synthetic-objects", "split=test", "examples=300"]
    write_atomic(ids, "\n".join(sorted(known[:count])))
    name = f"{kind}-{count}"
    path = folder / f"{name}.toml"
    epochs = epochs_for(count - round(VALIDATION * count))
    text = finetune_file(name, str(images), str(masks), output=str(folder / "runs"), epochs=epochs)
    write_atomic(path, text)
    overrides = [f"data.{part}.ids={ids}" for part in ("train", "validation")]
    start, used = time.perf_counter(), time.process_time()
    record = run_file(path, overrides=[*overrides, *(f"data.test.{key}" for key in test), "run.threads=1"])
    gain = gain_of(record)
    assert gain is not None
    training = sum(entry["seconds"] for entry in record.timing if entry["phase"] != "evaluation")
    return {
        "kind": kind,
        "images": count,
        "epochs": epochs,
        "minutes": round(training / 60, 2),
        "minutes in all": round((time.perf_counter() - start) / 60, 2),
        "CPU minutes in all": round((time.process_time() - used) / 60, 2),
        "scored": gain.examples,
        "shipped": round(100 * gain.before, 2),
        "fine-tuned": round(100 * gain.after, 2),
        "interval": [round(100 * bound, 2) for bound in gain.interval or ()],
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    kinds, counts = sys.argv[2:3] or ["scenes", "photographs"], [int(text) for text in sys.argv[3:]] or COUNTS
    for kind in kinds:
        for count in counts:
            print(json.dumps({**measure(folder, kind, count), "load": round(os.getloadavg()[0], 1)}), flush=True)
