from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve
from jointtask_object_extraction.data.synthetic_scenes.dataset import synthetic_objects
from jointtask_object_extraction.photograph import FRAME, Photograph
from jointtask_object_extraction.settings import SyntheticObjects
from jointtask_saliency_baselines.descriptors import LENGTH, fit_basis, gradients, window_masks
from jointtask_saliency_baselines.graph_cut import STEPS, contrast_weights
from jointtask_saliency_baselines.location_cut import location_cut
from jointtask_saliency_baselines.training import evenly
from jointtask_saliency_baselines.transfer import Transfer, fgseg_lite, soft_mask
from jointtask_saliency_baselines.window_library import Library
from jointtask_saliency_baselines.windows import WINDOWS, windows

from jointtask.api import ConfigError, Context, NoSettings
from jointtask.tools import SilentProgress, cached_arrays

RANDOM = np.random.default_rng(0)


def alone(cache: Path) -> Context:
    return Context(torch.device("cpu"), 1, cache, SilentProgress())


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    bare = alone(tmp_path_factory.mktemp("cache"))
    return evolve(bare, train=synthetic_objects(SyntheticObjects("train", 6), bare))


@pytest.fixture(scope="module")
def predict(context: Context) -> Transfer:
    return fgseg_lite(NoSettings(), context)


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_descriptors_do_not_depend_on_brightness_but_on_shape() -> None:
    frame = RANDOM.integers(0, 128, (FRAME, FRAME, 3), np.uint8)
    boxes = np.array([[0, 0, 64, 64], [64, 64, 192, 192]])
    one, other = gradients(frame, boxes)
    assert one.shape == (1764,)
    brighter = gradients(frame + 100, boxes)[0]
    assert np.linalg.norm(brighter - one) < np.linalg.norm(other - one) / 2


def test_distances_survive_projection_if_the_data_have_few_dimensions() -> None:
    low = RANDOM.normal(size=(60, 1764)).astype(np.float32)
    basis = fit_basis(low)
    assert basis.components.shape == (1764, LENGTH)
    projected = basis.project(low)
    distance = [np.linalg.norm(values[:, None] - values[None], axis=2) for values in (low, projected)]
    np.testing.assert_allclose(distance[1], distance[0], rtol=1e-3, atol=1e-2)


def test_window_masks_are_shares_of_the_object() -> None:
    mask = np.zeros((FRAME, FRAME), np.uint8)
    mask[:, :40] = 1
    whole, left, half = window_masks(mask, np.array([[0, 0, 224, 224], [0, 0, 40, 40], [32, 0, 48, 16]]))
    np.testing.assert_allclose(whole.mean() / 255, 40 / 224, atol=0.01)
    assert (left == 255).all()
    np.testing.assert_array_equal(half, np.repeat(np.repeat([[255, 0]], 8, axis=1), 16, axis=0))


def test_a_soft_mask_is_the_mean_over_the_windows_that_cover_a_pixel() -> None:
    boxes = np.array([[0, 0, 100, 100], [50, 0, 224, 224]], np.int32)
    masks = np.stack([np.full((16, 16), 0.25), np.ones((16, 16))]).astype(np.float32)
    soft = soft_mask(boxes, masks)
    assert soft[10, 10] == 0.25
    assert soft[10, 75] == 0.625
    assert soft[200, 200] == 1
    assert soft[200, 10] == 0


def test_nearest_windows_are_those_of_a_full_search(context: Context, predict: Transfer) -> None:
    queries = RANDOM.normal(size=(5, LENGTH)).astype(np.float32)
    stored = np.concatenate(predict.library.arrays.batch(range(6))["descriptor"]).astype(np.float64)
    expected = np.argsort(np.linalg.norm(queries[:, None] - stored[None], axis=2), axis=1)[:, :10]
    np.testing.assert_array_equal(np.sort(predict.library.nearest(queries)), np.sort(expected))


def test_the_nearest_of_more_images_than_are_compared_at_once(context: Context, predict: Transfer) -> None:
    stored = RANDOM.normal(size=(230, WINDOWS, LENGTH)).astype(np.float16)
    arrays = cached_arrays(
        context.cache / "many",
        [str(row) for row in range(len(stored))],
        lambda row: {"descriptor": stored[row]},
        workers=1,
        progress=SilentProgress(),
        label="many",
    )
    queries = RANDOM.normal(size=(5, LENGTH)).astype(np.float32)
    distance = np.linalg.norm(queries[:, None] - stored.reshape(-1, LENGTH).astype(np.float64), axis=2)
    expected = np.sort(np.argsort(distance, axis=1)[:, :10])
    np.testing.assert_array_equal(np.sort(Library(predict.library.basis, arrays).nearest(queries)), expected)


def test_a_window_of_a_training_image_finds_itself_and_its_mask(context: Context, predict: Transfer) -> None:
    assert context.train is not None
    example = {name: values[0].numpy() for name, values in context.train.batch([5]).items()}
    frame = np.ascontiguousarray(example["image"].transpose(1, 2, 0))
    boxes = windows(frame)
    library: Library = predict.library
    found = library.nearest(library.basis.project(gradients(frame, boxes)))
    own = 5 * WINDOWS + np.arange(WINDOWS)
    assert (found == own[:, None]).any(axis=1).all()
    np.testing.assert_allclose(library.masks(own[:, None]) * 255, window_masks(example["mask"], boxes), atol=1e-4)


def test_training_images_are_extracted_and_the_cache_is_used(context: Context, predict: Transfer) -> None:
    assert context.train is not None
    again = pickle.loads(pickle.dumps(fgseg_lite(NoSettings(), context)))
    scores = []
    for index in range(3):
        example = context.train.example(index)
        found = predict(example)
        assert found.box is None
        assert found.probability.dtype == np.float32
        assert found.probability.shape == example.mask.shape
        scores.append(jaccard(found.probability >= 0.5, example.mask))
    np.testing.assert_array_equal(again(example).probability, found.probability)
    assert np.mean(scores) > 0.5


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (900, 700)])
def test_any_size_is_taken(predict: Transfer, shape: tuple[int, int]) -> None:
    image = RANDOM.integers(0, 256, (*shape, 3), np.uint8)
    assert predict(Photograph("any", image, None)).probability.shape == shape


def test_training_data_are_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fgseg-lite: no training data"):
        fgseg_lite(NoSettings(), alone(tmp_path))


def test_a_sample_is_even_and_has_both_ends() -> None:
    assert evenly(np.arange(9), 3).tolist() == [0, 4, 8]
    assert evenly(np.arange(3), 9).tolist() == [0, 1, 2]


def test_a_rough_prior_becomes_the_object() -> None:
    mask = np.zeros((90, 120), np.bool_)
    mask[30:70, 40:90] = True
    image = np.where(mask[..., None], (200, 90, 60), (60, 120, 90)) + RANDOM.integers(-15, 16, (90, 120, 3))
    prior = np.full((9, 12), 0.1)
    prior[2:6, 5:9] = 0.7
    found = location_cut(image.astype(np.uint8), prior) >= 0.5
    assert jaccard(found, mask) > 0.97
    large = np.repeat(np.repeat(image.astype(np.uint8), 6, axis=0), 6, axis=1)
    assert jaccard(location_cut(large, prior) >= 0.5, np.repeat(np.repeat(mask, 6, axis=0), 6, axis=1)) > 0.97


@pytest.mark.parametrize("level", [0.0, 0.1, 0.2, 1.0])
def test_a_prior_on_one_side_of_the_level_gives_nothing(level: float) -> None:
    assert not location_cut(np.zeros((20, 30, 3), np.uint8), np.full((20, 30), level)).any()


def test_the_contrast_by_distance_has_its_own_beta() -> None:
    image = RANDOM.random((4, 5, 3))
    squares = {step: [] for step in STEPS}
    for y in range(4):
        for x in range(5):
            for down, right in STEPS:
                if y + down < 4 and 0 <= x + right < 5:
                    squares[down, right].append(((image[y, x] - image[y + down, x + right]) ** 2).sum())
    beta = 0.5 / np.mean(np.concatenate([np.array(some) / np.hypot(*step) for step, some in squares.items()]))
    expected = 50 / np.sqrt(2) * np.exp(-beta * ((image[0, 0] - image[1, 1]) ** 2).sum())
    assert contrast_weights(image, 50, by_distance=True)[2, 0, 0] == pytest.approx(expected)
