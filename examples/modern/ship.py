"""Put a trained run into the object-extraction plugin, as the model that ships: ``python examples/modern/ship.py RUN``.

Weights go to half precision; the run file keeps what prediction needs, and no path of the machine that trained it.
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from pathlib import Path

import tomli_w
import torch
from jointtask_object_extraction.extract.model import SHIPPED
from safetensors.torch import load_file, save

from jointtask.tools import write_atomic

LARGEST = 15_000_000


def main(run: Path) -> None:
    """Write the model's folder from a finished run's directory."""
    config = tomllib.loads((run / "config.toml").read_text())
    config["run"] = {"name": config["run"]["name"], "seed": config["run"]["seed"], "channels_last": True}
    config["data"] = {"train": {"name": "image-folder", "images": "DUTS-TR/images"}}
    for role in ("upstream", "downstream"):
        for key in ("weights", "sha256", "optimizer"):
            config[role].pop(key, None)
    kept = {key: config[key] for key in ("run", "data", "upstream", "downstream", "bridge", "predict", "evaluate")}
    kept["sampler"] = {"name": "none"}
    weights = {name: tensor.half() for name, tensor in load_file(run / "model.safetensors").items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise SystemExit("a weight does not fit into half precision")
    SHIPPED.mkdir(exist_ok=True)
    content = save({name: tensor.contiguous() for name, tensor in weights.items()})
    write_atomic(SHIPPED / "model.safetensors", content)
    write_atomic(SHIPPED / "model.sha256", f"{hashlib.sha256(content).hexdigest()}  model.safetensors\n")
    write_atomic(SHIPPED / "config.toml", tomli_w.dumps(kept))
    size = (SHIPPED / "model.safetensors").stat().st_size
    if size > LARGEST:
        raise SystemExit(f"the weights take {size} bytes; at most {LARGEST} may ship")
    print(f"{SHIPPED}: {sum(tensor.numel() for tensor in weights.values())} parameters, {size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
