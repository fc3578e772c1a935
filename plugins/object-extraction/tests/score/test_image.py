"""What `jointtask score` makes of names, of single images, and of many."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jointtask_object_extraction.data.masks import decode_map
from jointtask_object_extraction.metrics.components import metric_components
from jointtask_object_extraction.score.image import ImageScores, MapScores, Scorer, metric
from jointtask_object_extraction.score.matching import Masks, Predictions, match
from jointtask_object_extraction.score.record import MAXIMA
from jointtask_object_extraction.score.summary import choose, summarise
from PIL import Image

from jointtask.api import ConfigError, DataError
from jointtask.tools import RESAMPLES

EVERY = [component.name for component in metric_components()]


def folder(path: Path, *names: str) -> Path:
    """Make a folder of small maps."""
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 3)).save(path / name)
    return path


def matched(tmp_path: Path, maps: str, masks: str) -> tuple[dict[str, str], Predictions]:
    """Match files given by name; return which map each mask has."""
    given = folder(tmp_path / "maps", *maps.split())
    _, (found,) = match([given], folder(tmp_path / "masks", *masks.split()))
    return {id_: path.relative_to(given).as_posix() for id_, path in found.maps.items()}, found


def test_names_agree_but_for_their_suffix_and_below_their_folders(tmp_path: Path) -> None:
    found, rest = matched(tmp_path, "a.jpg deep/b.bmp c.png", "a.png deep/b.png d.png")
    assert found == {"a": "a.jpg", "deep/b": "deep/b.bmp"}
    assert rest.missing == ["d"]
    assert rest.unmatched == ["c"]
    assert rest.notes == []


def test_what_extract_writes_is_known_and_all_names_go_by_one_rule(tmp_path: Path) -> None:
    found, rest = matched(tmp_path, "a-mask.png a-cutout.png a-overlay.jpg b.png b-mask.png c-mask.png", "a.png b.png")
    assert found == {"a": "a-mask.png", "b": "b-mask.png"}
    assert rest.unmatched == ["b", "c-mask"]


@pytest.mark.parametrize(
    ("maps", "masks", "note"),
    [
        ("1_RC.png 10_RC.png 11_RC.png", "1.png 10.png 11.png", "predictions read without the ending '_RC'"),
        ("sal_1.png sal_2.png", "1.png 2.png", "predictions read without the beginning 'sal_'"),
        ("x-a_sal.png x-b_sal.png", "a.png b.png", "without the beginning 'x-' and the ending '_sal'"),
        ("a.png b.png", "a_gt.png b_gt.png", "masks read without the ending '_gt'"),
        ("a_sal.png b_sal.png z_sal.png", "a.png b.png", "predictions read without the ending '_sal'"),
    ],
)
def test_an_ending_or_beginning_of_all_names_is_found_and_said(
    tmp_path: Path, maps: str, masks: str, note: str
) -> None:
    found, rest = matched(tmp_path, maps, masks)
    assert dict(zip(masks.replace(".png", "").split(), maps.split(), strict=False)) == found
    assert note in rest.notes[0]


def test_names_without_anything_in_common_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file in"):
        matched(tmp_path, "ax.png b.png", "a.png c.png d.png")


def test_a_photograph_beside_its_mask_is_left_out_and_two_maps_of_one_name_fail_alone(tmp_path: Path) -> None:
    found, rest = matched(tmp_path, "a.jpg a.png b.bmp b.tif c.png", "a.png b.png c.png")
    assert found == {"a": "a.png", "c": "c.png"}
    assert "JPEG files beside others of their name, not used, 1: a" in rest.notes
    (fault,) = rest.faults
    assert "b.bmp and" in fault
    assert "more than one file of one name" in fault
    assert rest.missing == ["b"]


@pytest.mark.parametrize(
    ("pixels", "mode", "encoding", "expected"),
    [
        (np.uint8([[0, 51, 255]]), None, "grey", [0, 0.2, 1]),
        (np.uint16([[0, 13107, 65535]]), None, "grey", [0, 0.2, 1]),
        (np.uint8([[0, 1, 1]]), None, "0/1", [0, 1, 1]),
        (np.uint16([[0, 1, 1]]), None, "0/1", [0, 1, 1]),
        (np.uint8([[0, 0, 0]]), None, "grey", [0, 0, 0]),
        (np.uint8([[0, 127, 128]]), None, "grey", [0, 127 / 255, 128 / 255]),
        (np.array([[False, True, True]]), None, "grey", [0, 1, 1]),
        (np.uint8([[[9, 0], [9, 51], [9, 255]]]), "LA", "alpha", [0, 0.2, 1]),
        (np.uint8([[[0, 0, 0], [9, 0, 0], [0, 7, 3]]]), "RGB", "colour", [0, 1, 1]),
    ],
)
def test_maps_are_read_over_their_whole_range(
    tmp_path: Path, pixels: Any, mode: str | None, encoding: str, expected: list[float]
) -> None:
    Image.fromarray(pixels, mode).save(tmp_path / "a.png")
    value, found = decode_map(tmp_path / "a.png", 100)
    assert found == encoding
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, [expected], rtol=1e-6)


def test_a_map_is_resized_bilinearly_to_its_mask(tmp_path: Path) -> None:
    small = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    mask = np.zeros((15, 21), np.uint8)
    mask[4:9, 6:15] = 255
    (tmp_path / "maps").mkdir()
    (tmp_path / "masks").mkdir()
    Image.fromarray(small).save(tmp_path / "maps/a.png")
    Image.fromarray(mask).save(tmp_path / "masks/a.png")
    masks, found = match([tmp_path / "maps"], tmp_path / "masks")
    (maps,) = Scorer(masks.files, found, EVERY, True, 1000)("a").maps
    assert maps is not None
    resized = np.empty(mask.shape)  # centres of pixels at (i + 1/2) of their size, edges repeated
    for i, j in np.ndindex(mask.shape):
        y, x = (np.clip((k + 0.5) / 3 - 0.5, 0, n - 1) for k, n in ((i, 5), (j, 7)))
        top, left = min(int(y), 3), min(int(x), 5)
        corner = small[top : top + 2, left : left + 2] / 255
        resized[i, j] = np.array([1 - y + top, y - top]) @ corner @ np.array([1 - x + left, x - left])
    found_j = ((resized >= 0.5) & (mask > 0)).sum() / ((resized >= 0.5) | (mask > 0)).sum()
    assert maps.scores["iou"] == pytest.approx(found_j)
    assert list(maps.oddities) == ["resized"]
    assert maps.curves is not None
    assert maps.curves.shape == (3, 256)


def scores(*values: float, name: str = "mae") -> list[MapScores]:
    return [MapScores({name: value}) if not math.isnan(value) else MapScores({}) for value in values]


def table(*columns: list[MapScores], name: str = "MAE") -> Any:
    predictions = [Predictions(str(n), Path(str(n)), {}, {}, [], [], []) for n in range(len(columns))]
    images = [ImageScores(str(row), maps) for row, maps in enumerate(zip(*columns, strict=True))]
    return summarise(images, predictions, {name: choose(name)[name]}, Path("gt"), Masks({}))


def test_intervals_are_bootstraps_over_images_and_differences_are_paired() -> None:
    random = np.random.default_rng(3)
    one = random.random(40)
    other = one + 0.01 + 0.002 * random.standard_normal(40)
    first, second = (folder.scores["MAE"] for folder in table(scores(*one), scores(*other)).folders)
    draws = np.array([random.choice(one, 40).mean() for _ in range(RESAMPLES)])
    np.testing.assert_allclose(first.interval, np.percentile(draws, [2.5, 97.5]), atol=0.02)
    assert second.difference == pytest.approx((other - one).mean())
    low, high = second.difference_interval
    assert 0.009 < low < high < 0.011  # far narrower than the intervals of the two
    assert second.verdict == "worse"


def test_differences_are_over_the_images_that_both_have() -> None:
    nan = math.nan
    _, second = table(scores(0.1, 0.2, nan, 0.9), scores(0.3, nan, 0.5, 0.9)).folders
    assert second.images == 3
    assert second.scores["MAE"].value == pytest.approx(1.7 / 3)
    assert second.scores["MAE"].difference == pytest.approx(0.1)
    assert second.scores["MAE"].verdict == "within noise"
    apart, nothing = (
        table(scores(0.1, nan), column).folders[1].scores["MAE"] for column in (scores(nan, 1), scores(nan, nan))
    )
    assert apart.difference is nothing.difference is None
    assert math.isnan(nothing.value)


def test_maxima_are_of_the_mean_curve_on_the_images_that_both_have() -> None:
    def curve(peak: int) -> MapScores:
        made = np.zeros(257)
        made[peak] = 1.0
        return MapScores({"f-measure": made})

    one, other = [curve(3), curve(3), MapScores({})], [curve(3), curve(9), curve(9)]
    first, second = (folder.scores["maxF"] for folder in table(one, other, name="maxF").folders)
    assert (first.value, second.value) == (1.0, pytest.approx(2 / 3))
    assert second.difference == -0.5
    assert first.interval is second.difference_interval is None


def test_all_scores_but_the_maxima_are_means_over_images() -> None:
    random = np.random.default_rng(0)
    for name in EVERY:
        given = random.random((5, 257) if name in ("f-measure", "e-measure") else 5)
        for score, summary in metric(name).summaries.items():
            mean = np.mean([summary.reduce(given[row : row + 1]) for row in range(5)])
            assert (abs(summary.reduce(given) - mean) < 1e-12) == (score not in MAXIMA), score


def test_scores_and_metrics_are_chosen_by_name_in_any_case() -> None:
    assert [*choose("j, maxf")] == ["J", "maxF"]
    assert [*choose("F-measure")] == ["maxF", "meanF", "adpF"]
    assert len(choose("")) == 12
    with pytest.raises(ConfigError, match="psnr"):
        choose("J,psnr")
