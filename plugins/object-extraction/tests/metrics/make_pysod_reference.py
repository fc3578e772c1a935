"""Make `pysod_reference.json`: what PySODMetrics 1.6.2 gives for 50 maps of ECSSD images.

The maps are made from the images and masks by whole-number arithmetic alone, so that they come out the same anywhere;
their digests are stored beside the values, because another JPEG decoder would make other contrast maps.

    pip install pysodmetrics==1.6.2 opencv-python-headless
    python plugins/object-extraction/tests/make_pysod_reference.py
"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

ECSSD = Path(__file__).resolve().parents[4] / "shared" / "data" / "ECSSD"
REFERENCE = Path(__file__).with_name("pysod_reference.json")
KINDS = ("blurred", "shifted", "noisy", "contrast", "mixed")

Picture = NDArray[np.uint8]


def pairs() -> list[tuple[str, str]]:
    """Return 50 image ids, evenly spaced over the 1,000, and the kind of map of each: ten of each kind."""
    return [(f"{20 * n + 1:04d}", KINDS[n % len(KINDS)]) for n in range(50)]


def load(name: str) -> tuple[Picture, NDArray[np.bool_]]:
    """Return an image, (H, W, 3), and its mask, (H, W)."""
    image = cv2.imread(str(ECSSD / "images" / f"{name}.jpg"), cv2.IMREAD_COLOR)
    mask = cv2.imread(str(ECSSD / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    assert mask is not None
    return image.astype(np.uint8), mask > 127


def make_map(kind: str, image: Picture, mask: NDArray[np.bool_]) -> Picture:
    """Make a map, (H, W), 0 to 255, such as a method might give for the image."""
    truth = mask.astype(np.int64) * 255
    if kind == "blurred":
        made = _box_mean(truth, 12)
    elif kind == "shifted":
        made = 20 + _box_mean(np.roll(truth, (9, -14), axis=(0, 1)), 3) * 150 // 255
    elif kind == "noisy":
        made = np.clip(_box_mean(truth, 2) * 3 // 4 + _noise(truth.shape), 0, 255)
    elif kind == "contrast":
        made = _contrast(image)
    else:
        made = (_contrast(image) + 2 * _box_mean(truth, 7)) // 3
    return made.astype(np.uint8)


def digest(picture: Picture) -> str:
    """Return the content of a map as a short hexadecimal digest."""
    return hashlib.sha256(picture.tobytes()).hexdigest()[:16]


def _box_mean(value: NDArray[np.int64], radius: int) -> NDArray[np.int64]:
    side = 2 * radius + 1
    padded = np.pad(value, radius, mode="edge")
    total = np.pad(padded.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums: NDArray[np.int64] = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    return sums // side**2


def _noise(shape: tuple[int, ...]) -> NDArray[np.int64]:
    rows, columns = np.indices(shape)
    mixed: NDArray[np.int64] = (rows * 73_856_093) ^ (columns * 19_349_663)
    return mixed % 97 - 32


def _contrast(image: Picture) -> NDArray[np.int64]:
    """Distance of each colour from the mean colour of the image's border, smoothed and stretched."""
    colours = image.astype(np.int64)
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    distance = np.abs(colours - border.sum(0) // len(border)).sum(2)
    smooth = _box_mean(distance, 4)
    return smooth * 255 // max(int(smooth.max()), 1)


def reference(picture: Picture, mask: NDArray[np.bool_]) -> dict[str, float | list[float]]:
    """Score one map with PySODMetrics; curves in its order, from threshold 255 down to 0."""
    import py_sod_metrics as pysod  # type: ignore[import-untyped]  # it ships no type information

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Fmeasure announces its successor
        measures = {
            "mae": pysod.MAE(),
            "f": pysod.Fmeasure(beta=0.3),
            "s": pysod.Smeasure(),
            "e": pysod.Emeasure(),
            "w": pysod.WeightedFmeasure(),
        }
    for measure in measures.values():
        measure.step(pred=picture, gt=mask.astype(np.uint8) * 255)
    found = {name: measure.get_results() for name, measure in measures.items()}
    return {
        "MAE": float(found["mae"]["mae"]),
        "F": [*found["f"]["fm"]["curve"].tolist(), float(found["f"]["fm"]["adp"])],
        "P": found["f"]["pr"]["p"].tolist(),
        "R": found["f"]["pr"]["r"].tolist(),
        "S": float(found["s"]["sm"]),
        "E": [*found["e"]["em"]["curve"].tolist(), float(found["e"]["em"]["adp"])],
        "wF": float(found["w"]["wfm"]),
    }


def main() -> None:
    """Write the reference file; of each curve every 15th value (18 of 256), and of all 50 together the summaries."""
    rows, every = [], []
    for name, kind in pairs():
        image, mask = load(name)
        picture = make_map(kind, image, mask)
        values = reference(picture, mask)
        every.append(values)
        thinned = {
            key: [round(v, 10) for v in (value[:256:15] + value[256:])] if isinstance(value, list) else round(value, 10)
            for key, value in values.items()
        }
        rows.append({"id": name, "map": kind, "digest": digest(picture), **thinned})
    f, e = (np.array([values[key] for values in every]) for key in "FE")
    summary = {
        "MAE": np.mean([values["MAE"] for values in every]),
        "maxF": f[:, :256].mean(0).max(),
        "meanF": f[:, :256].mean(0).mean(),
        "adpF": f[:, 256].mean(),
        "S": np.mean([values["S"] for values in every]),
        "maxE": e[:, :256].mean(0).max(),
        "meanE": e[:, :256].mean(0).mean(),
        "adpE": e[:, 256].mean(),
        "wF": np.mean([values["wF"] for values in every]),
    }
    lines = ",\n".join(json.dumps(row) for row in rows)
    total = json.dumps({key: round(float(value), 10) for key, value in summary.items()})
    REFERENCE.write_text(
        '{"made_by": "make_pysod_reference.py with PySODMetrics 1.6.2",\n'
        f'"summary": {total},\n"pairs": [\n{lines}\n]}}\n'
    )


if __name__ == "__main__":
    main()
