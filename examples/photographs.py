"""Write generated scenes with masks as a folder of images and one of masks: ``python examples/photographs.py DIR``.

They stand for images of your own, to try `object_extraction_folder.toml` and `jointtask finetune` on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from jointtask_object_extraction.data.synthetic_scenes.materials import load_materials
from jointtask_object_extraction.data.synthetic_scenes.scene import make_scene
from PIL import Image

__all__ = ["write_scenes"]


def write_scenes(folder: Path, count: int, *, seed: int = 0) -> None:
    """Write scenes 0 to `count` - 1 of a seed as ``images/NAME.jpg`` and ``masks/NAME.png``."""
    materials = load_materials("train")
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        image, mask = make_scene(materials, seed, index)
        Image.fromarray(image).save(folder / "images" / f"scene-{index:04d}.jpg", quality=95)
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "masks" / f"scene-{index:04d}.png")


if __name__ == "__main__":
    write_scenes(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60)
