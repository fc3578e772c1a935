from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from jointtask_object_extraction.metrics import measures
from jointtask_object_extraction.metrics.components import metric_components
from jointtask_object_extraction.photograph import Extraction, Photograph
from numpy.typing import NDArray

from jointtask.api import DataError, Metric, NoSettings

TOLERANCE = 1e-6
HERE = Path(__file__).parent

ROWS, COLUMNS = np.indices((12, 16))
DISC = (ROWS - 5) ** 2 + (COLUMNS - 7) ** 2 <= 16
NOTHING, EVERYTHING = np.zeros_like(DISC), np.ones_like(DISC)
GRADED = (ROWS * 17 + COLUMNS * 9) % 256
DIM = np.where(DISC, 140, 20) + (ROWS * COLUMNS) % 40
CONFIDENT = np.where(np.roll(DISC, 2, axis=1), 255, 0)

GENERATED = {
    "graded": (GRADED, DISC),
    "dim": (DIM, DISC),
    "confident": (CONFIDENT, DISC),
    "empty-mask": (GRADED, NOTHING),
    "full-mask": (GRADED, EVERYTHING),
    "constant-map": (np.full(DISC.shape, 51), DISC),
    "zeros-map": (np.zeros(DISC.shape), DISC),
    "ones-map": (np.full(DISC.shape, 255), DISC),
    "both-empty": (np.zeros(DISC.shape), NOTHING),
}

# What PySODMetrics 1.6.2 gives for them.
REFERENCE = """
case         MAE       maxF      meanF     adpF      wF        S         maxE      meanE     adpE
graded       0.4866716 0.3988729 0.2584783 0.0000000 0.3441741 0.3992293 0.6082287 0.3886811 0.2640463
dim          0.0899439 1.0000000 0.8440102 1.0000000 0.8223531 0.9486110 1.0052356 0.8498437 1.0052356
confident    0.1666667 0.6734694 0.6720425 0.6734694 0.7224723 0.6462908 0.8439595 0.8416445 0.8439595
empty-mask   0.5288714 0.0000000 0.0000000 0.0000000 0.0000000 0.4711286 1.0000000 0.4738015 1.0000000
full-mask    0.4711286 1.0000000 0.7373788 0.0221843 0.8122160 0.5288714 1.0052356 0.5314341 0.0052356
constant-map 0.3531250 0.3081761 0.0625983 0.0000000 0.2192167 0.4123915 0.2513089 0.2513089 0.2513089
zeros-map    0.2552083 0.3081761 0.0012038 0.3081761 0.0417707 0.3723958 0.2513089 0.2513089 0.2513089
ones-map     0.7447917 0.3081761 0.3081761 0.3081761 0.3438490 0.1276042 0.2513089 0.2513089 0.2513089
both-empty   0.0000000 0.0000000 0.0000000 0.0000000 0.0000000 1.0000000 1.0052356 1.0013089 0.0000000
"""


def probability(level: NDArray[Any]) -> NDArray[np.float32]:
    return (level / 255).astype(np.float32)


def built() -> dict[str, Metric]:
    return {c.name: c.build(NoSettings(), None) for c in metric_components()}  # type: ignore[arg-type]  # context unused


def thinned(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every 15th value from threshold 255 down to 0, as stored."""
    return curve[::-15]


@pytest.mark.parametrize("case", GENERATED)
def test_generated_maps_score_as_in_pysodmetrics(case: str) -> None:
    (_, *names), *rows = (line.split() for line in REFERENCE.strip().splitlines())
    expected = {row[0]: dict(zip(names, map(float, row[1:]), strict=True)) for row in rows}
    level, mask = GENERATED[case]
    value = probability(level)
    f, e = measures.f_curve(value, mask), measures.e_curve(value, mask)
    ours: dict[str, Any] = {
        "MAE": measures.mean_absolute_error(value, mask),
        "maxF": f.max(),
        "meanF": f.mean(),
        "adpF": measures.adaptive_f(value, mask),
        "wF": measures.weighted_f(value, mask),
        "S": measures.s_measure(value, mask),
        "maxE": e.max(),
        "meanE": e.mean(),
        "adpE": measures.adaptive_e(value, mask),
    }
    assert ours == pytest.approx(expected[case], rel=0, abs=TOLERANCE)


@pytest.mark.shared
def test_real_pairs_score_as_in_pysodmetrics(pysod_reference: ModuleType) -> None:
    maker = pysod_reference
    stored = json.loads(maker.REFERENCE.read_text())
    assert [(row["id"], row["map"]) for row in stored["pairs"]] == maker.pairs()
    components = built()
    scores: dict[str, list[Any]] = {name: [] for name in components}
    for row in stored["pairs"]:
        image, mask = maker.load(row["id"])
        picture = maker.make_map(row["map"], image, mask)
        assert maker.digest(picture) == row["digest"], f"{row['id']}: another JPEG decoder made another map"
        value = probability(picture)
        precision, recall = measures.precision_recall(value, mask)
        ours: dict[str, Any] = {
            "MAE": measures.mean_absolute_error(value, mask),
            "F": [*thinned(measures.f_curve(value, mask)), measures.adaptive_f(value, mask)],
            "P": thinned(precision),
            "R": thinned(recall),
            "S": measures.s_measure(value, mask),
            "E": [*thinned(measures.e_curve(value, mask)), measures.adaptive_e(value, mask)],
            "wF": measures.weighted_f(value, mask),
        }
        for name, found in ours.items():
            np.testing.assert_allclose(found, row[name], rtol=0, atol=TOLERANCE, err_msg=f"{row['id']} {name}")
        for name, metric in components.items():
            scores[name].append(metric.score(Extraction(value, None), Photograph(row["id"], image, mask)))
    reported = {
        number: summary.reduce(np.asarray(scores[name], dtype=np.float64))
        for name, metric in components.items()
        for number, summary in metric.summaries.items()
    }
    for number, expected in stored["summary"].items():
        assert reported[number] == pytest.approx(expected, abs=TOLERANCE), number
    assert np.isnan(reported["box IoU"])


def test_curves_rise_with_threshold_index() -> None:
    precision, recall = measures.precision_recall(probability(DIM), DISC)
    assert precision.shape == recall.shape == (256,)
    assert recall[0] == 1.0
    assert np.all(np.diff(recall) <= 0)
    assert precision[0] == DISC.mean()


def test_pixel_accuracy_counts_background_and_is_not_precision() -> None:
    value = np.zeros((2, 5), dtype=np.float32)
    value[0, :2] = 0.5
    mask = np.zeros((2, 5), dtype=bool)
    mask[0, 0] = mask[1, 0] = True
    assert measures.pixel_accuracy(value, mask) == 0.8
    assert measures.iou(value, mask) == pytest.approx(1 / 3)
    definition = built()["pixel-accuracy"].summaries["P"].definition
    assert definition.startswith("P (pixel accuracy)")
    assert "not TP / (TP + FP)" in definition


def test_iou_of_two_empty_masks_is_one() -> None:
    empty = np.zeros((3, 4), dtype=np.float32)
    assert measures.iou(empty, np.zeros((3, 4), dtype=bool)) == 1.0
    assert measures.iou(empty, np.ones((3, 4), dtype=bool)) == 0.0


@pytest.mark.parametrize("value", [0.5, np.nextafter(np.float32(0.5), np.float32(0))])
def test_rounding_to_8_bits_moves_no_pixel_over_one_half(value: float) -> None:
    probabilities = np.array([[0.0, value, 1.0]], dtype=np.float32)
    assert np.array_equal(measures.saliency(probabilities) * 255 >= 128, probabilities >= 0.5)


def test_s_measure_is_finite_where_the_centroid_is_at_the_border() -> None:
    mask = np.zeros((6, 6), dtype=bool)
    mask[:, -1] = True
    assert measures.s_measure(mask.astype(np.float32), mask) == pytest.approx(1.0)
    assert 0.0 <= measures.s_measure(np.full((6, 6), 0.3, dtype=np.float32), mask) < 0.7


def test_a_perfect_map_is_perfect() -> None:
    value = DISC.astype(np.float32)
    assert measures.mean_absolute_error(value, DISC) == 0.0
    assert measures.weighted_f(value, DISC) == pytest.approx(1.0)
    assert measures.s_measure(value, DISC) == pytest.approx(1.0)
    assert measures.adaptive_f(value, DISC) == 1.0
    assert measures.adaptive_e(value, DISC) == pytest.approx(DISC.size / (DISC.size - 1))


@pytest.mark.parametrize("name", ["pixel-accuracy", "iou", "mae", "f-measure", "weighted-f", "s-measure", "e-measure"])
def test_another_size_or_range_is_a_bug(name: str) -> None:
    score = built()[name].score
    photograph = Photograph("a", np.zeros((4, 5, 3), dtype=np.uint8), np.zeros((4, 5), dtype=bool))
    with pytest.raises(ValueError, match=r"\(5, 4\)"):
        score(Extraction(np.zeros((5, 4), dtype=np.float32), None), photograph)
    for value in (np.nan, -0.1, 1.1):
        with pytest.raises(ValueError, match=r"within \[0, 1\]"):
            score(Extraction(np.full((4, 5), value, dtype=np.float32), None), photograph)


def test_scores_have_one_shape_whatever_the_image_size() -> None:
    components = built()
    assert len(components) == len(metric_components()) == 8
    for shape in ((7, 9), (30, 20)):
        mask = np.zeros(shape, dtype=bool)
        mask[2:5, 3:6] = True
        extraction = Extraction(mask.astype(np.float32), np.array([3, 2, 6, 5], dtype=np.float32))
        photograph = Photograph("a", np.zeros((*shape, 3), dtype=np.uint8), mask)
        for name, metric in components.items():
            expected = (257,) if name in ("f-measure", "e-measure") else ()
            assert np.shape(metric.score(extraction, photograph)) == expected
        assert components["box-iou"].score(extraction, photograph) == 1.0


def test_maximum_is_of_the_mean_curve_not_the_mean_of_maxima() -> None:
    scores = np.zeros((2, 257))
    scores[0, 10], scores[1, 20], scores[:, 256] = 1.0, 1.0, 0.25
    summaries = built()["f-measure"].summaries
    assert {name: summary.reduce(scores) for name, summary in summaries.items()} == {
        "maxF": 0.5,
        "meanF": 1 / 256,
        "adpF": 0.25,
    }


def test_box_iou_and_its_missing_scores() -> None:
    assert measures.box_iou(np.array([0.0, 0, 4, 4]), np.array([2.0, 0, 6, 4])) == pytest.approx(1 / 3)
    assert measures.box_iou(np.array([0.0, 0, 4, 4]), np.array([4.0, 0, 6, 4])) == 0.0
    assert measures.box_iou(np.array([5.0, 0, 4, 4]), np.array([5.0, 0, 4, 4])) == 0.0
    assert measures.mask_box(NOTHING) is None
    box = measures.mask_box(DISC)
    assert box is not None
    assert box.tolist() == [3, 1, 12, 10]
    metric = built()["box-iou"]
    image = np.zeros((*DISC.shape, 3), dtype=np.uint8)
    boxed, unboxed = (Extraction(DISC.astype(np.float32), b) for b in (box.astype(np.float32), None))
    scores = np.array(
        [
            metric.score(boxed, Photograph("a", image, DISC)),
            metric.score(unboxed, Photograph("b", image, DISC)),
            metric.score(boxed, Photograph("c", image, NOTHING)),
        ],
        dtype=np.float64,
    )
    assert np.array_equal(np.isnan(scores), [False, True, True])
    assert metric.summaries["box IoU"].reduce(scores) == 1.0


def test_an_example_without_mask_is_named() -> None:
    with pytest.raises(DataError, match="cat has no mask"):
        built()["iou"].score(
            Extraction(np.zeros((4, 5), dtype=np.float32), None), Photograph("cat", np.zeros((4, 5, 3), np.uint8), None)
        )


def test_listing_the_metrics_imports_neither_numpy_nor_scipy() -> None:
    code = (
        "import sys; from jointtask_object_extraction.metrics.components import metric_components; "
        "metric_components(); "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'scipy', 'torch', 'cv2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
