"""Put two trained networks into the object-extraction plugin, as the model that ships.

``python examples/modern/ship.py LOCALIZATION SEGMENTATION [TO]`` takes the localization network and the grid about its
boxes from one run directory, and the segmentation network and all else from another. Weights go to half precision; the
run file keeps what prediction needs, and no path of the machine that trained it. Then write the ONNX file beside it:
``jointtask export shipped --to plugins/object-extraction/jointtask_object_extraction/model/model.onnx --overwrite``.
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


def main(localization: Path, segmentation: Path, to: Path) -> None:
    """Write a model's folder from two finished runs' directories."""
    config = tomllib.loads((segmentation / "config.toml").read_text())
    other = tomllib.loads((localization / "config.toml").read_text())
    config["upstream"] = other["upstream"]
    config["bridge"] |= {key: other["bridge"][key] for key in ("levels", "scales")}
    config["run"] = {"name": config["run"]["name"], "seed": config["run"]["seed"], "channels_last": True}
    config["data"] = {"train": {"name": "image-folder", "images": "DUTS-TR/images"}}
    for role in ("upstream", "downstream"):
        for key in ("weights", "sha256", "optimizer"):
            config[role].pop(key, None)
    kept = {key: config[key] for key in ("run", "data", "upstream", "downstream", "bridge", "predict", "evaluate")}
    kept["sampler"] = {"name": "none"}
    weights = {**_half(localization, "upstream"), **_half(segmentation, "downstream")}
    to.mkdir(parents=True, exist_ok=True)
    content = save(weights)
    if len(content) > LARGEST:
        raise SystemExit(f"the weights take {len(content)} bytes; at most {LARGEST} may ship")
    write_atomic(to / "model.safetensors", content)
    write_atomic(to / "model.sha256", f"{hashlib.sha256(content).hexdigest()}  model.safetensors\n")
    write_atomic(to / "config.toml", tomli_w.dumps(kept))
    print(f"{to}: {sum(tensor.numel() for tensor in weights.values())} parameters, {len(content)} bytes")


def _half(run: Path, role: str) -> dict[str, torch.Tensor]:
    """Return the weights of one network of a run, in half precision."""
    weights = {name: tensor.half().contiguous() for name, tensor in load_file(run / "model.safetensors").items()}
    weights = {name: tensor for name, tensor in weights.items() if name.startswith(f"{role}.")}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise SystemExit(f"a weight of the {role} network does not fit into half precision")
    return weights


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else SHIPPED)
