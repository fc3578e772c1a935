"""Saliency maps and their cuts as predictors."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from jointtask_object_extraction.photograph import Photograph
from jointtask_saliency_baselines.maps import Image, Map
from jointtask_saliency_baselines.rivals import METHODS, rival
from jointtask_saliency_baselines.saliency_cut import Cut

from jointtask.api import RunError
from jointtask.registry.registry import load_registry


def disc(height: int = 90, width: int = 120) -> Photograph:
    """A red disc on a grey ground with a little noise."""
    y, x = np.mgrid[:height, :width]
    mask = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2
    noise = np.random.default_rng(0).integers(0, 12, (height, width, 3))
    image = np.where(mask[..., None], (200, 30, 40), (120, 120, 125)) + noise
    return Photograph("disc", image.astype(np.uint8), mask)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cut", [None, "max-flow", "grabcut"])
def test_every_rival_finds_a_disc(method: str, cut: Cut | None, tmp_path: Path) -> None:
    photograph = disc()
    assert photograph.mask is not None
    extraction = rival(method, cut, tmp_path)(photograph)
    assert extraction.probability.shape == photograph.mask.shape
    assert extraction.probability.dtype == np.float32
    inside, outside = extraction.probability[photograph.mask], extraction.probability[~photograph.mask]
    assert inside.mean() > outside.mean() + 0.5
    if cut:
        mask = extraction.probability >= 0.5
        assert (mask & photograph.mask).sum() / (mask | photograph.mask).sum() > 0.9


def test_what_was_made_is_kept_and_what_is_damaged_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(image: Image) -> Map:
        calls.append(image.shape)
        return np.linspace(0, 1, image[..., 0].size, dtype=np.float32).reshape(image.shape[:2])

    monkeypatch.setitem(METHODS, "hc", counted)
    predict = rival("hc", None, tmp_path)
    first = predict(disc())
    np.testing.assert_array_equal(predict(disc()).probability, first.probability)
    assert len(calls) == 1
    [path] = tmp_path.rglob("*.png")
    path.write_bytes(path.read_bytes()[:40])
    np.testing.assert_array_equal(predict(disc()).probability, first.probability)
    assert len(calls) == 2
    np.testing.assert_allclose(first.probability * 255, np.rint(first.probability * 255), atol=1e-4)


def test_it_can_be_sent_to_another_process(tmp_path: Path) -> None:
    predict = rival("gc", "grabcut", tmp_path)
    assert pickle.loads(pickle.dumps(predict)) == predict


def test_a_closed_cache_is_told(tmp_path: Path) -> None:
    (tmp_path / "saliency-baselines").write_text("a file where a folder should be")
    with pytest.raises(RunError, match="cannot be used"):
        rival("hc", None, tmp_path)(disc())


def test_all_are_found_by_name() -> None:
    names = [component.name for component in load_registry().components("predictor")]
    assert {f"{method}{cut}" for method in METHODS for cut in ("", "-saliencycut", "-grabcut")} <= set(names)
