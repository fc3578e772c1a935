"""Small pictures, and what tests ask of the files that are made from them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image


def picture(height: int = 20, width: int = 30) -> NDArray[np.uint8]:
    """Blue, with a red block in the upper left."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[..., 2] = 200
    image[2 : height // 2, 3 : width // 2] = (255, 10, 20)
    return image


def save(path: Path, image: NDArray[Any] | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture() if image is None else image).save(path, **options)
    return path


def pixels(path: Path) -> NDArray[Any]:
    with Image.open(path) as image:
        return np.asarray(image)


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder)}


def failing(monkeypatch: pytest.MonkeyPatch, number: int, name: str) -> None:
    """Let the writing of one output fail with an error number, as a full disk or a protected folder would."""

    replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if target.name == name:
            raise OSError(number, os.strerror(number))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
