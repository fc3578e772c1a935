from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
from jointtask_object_extraction.photograph import Photograph
from jointtask_saliency_baselines.oracle import Oracle, best_union, cpmc_lite_oracle, objprop_lite_oracle
from jointtask_saliency_baselines.ranking import diversify, fit_ridge
from jointtask_saliency_baselines.segments import parametric_segments
from jointtask_saliency_baselines.superpixel_graph import superpixel_graph

from jointtask.api import ConfigError, Context, DataError, NoSettings
from jointtask.tools import SilentProgress

BUILDERS = {"cpmc-lite-oracle": cpmc_lite_oracle, "objprop-lite-oracle": objprop_lite_oracle}
RANDOM = np.random.default_rng(0)


def alone(cache: Path) -> Context:
    return Context(torch.device("cpu"), 1, cache, SilentProgress())


class Discs:
    """Discs of one colour on grounds of several, by position."""

    def __init__(self, first: int, count: int) -> None:
        self.seeds = range(first, first + count)
        self.digests = [f"disc {seed}" for seed in self.seeds]

    def __len__(self) -> int:
        return len(self.seeds)

    def example(self, index: int) -> Photograph:
        random = np.random.default_rng(self.seeds[index])
        rows, columns = np.mgrid[:90, :120]
        mask = np.hypot(rows - random.integers(35, 55), columns - random.integers(40, 80)) < random.integers(15, 30)
        ground = np.where((columns < random.integers(30, 90))[..., None], *random.integers(0, 256, (2, 3)))
        colours = np.where(mask[..., None], random.integers(0, 256, 3), ground) + random.integers(-20, 21, (90, 120, 3))
        return Photograph(self.digests[index], colours.clip(0, 255).astype(np.uint8), mask)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return evolve(alone(tmp_path_factory.mktemp("cache")), train=Discs(0, 6))  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=BUILDERS.items(), ids=BUILDERS)
def oracle(request: pytest.FixtureRequest, context: Context) -> Oracle:
    built: Oracle = request.param[1](NoSettings(), context)
    return built


def jaccard(one: Any, other: Any) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


@pytest.mark.parametrize("seed", range(5))
def test_the_best_union_is_the_best_of_all(seed: int) -> None:
    random = np.random.default_rng(seed)
    segments = random.random((20, 30)) < 0.15
    sizes = random.integers(1, 9, 30)
    truth = random.integers(0, sizes + 1) * (random.random(30) < 0.5)
    scores = []
    for last in range(1, 21):
        union = segments[:last].any(axis=0)
        common = truth[union].sum()
        scores.append(common / (sizes[union].sum() + truth.sum() - common))
    expected = segments[: int(np.argmax(scores)) + 1].any(axis=0)
    np.testing.assert_array_equal(best_union(segments, sizes, truth), expected)


def test_the_oracle_takes_the_best_of_its_ranking(oracle: Oracle, context: Context) -> None:
    assert context.train is not None
    example = context.train.example(1)
    graph = superpixel_graph(example.image)
    unions = np.logical_or.accumulate(oracle.ranked(graph), axis=0)
    assert 1 <= len(unions) <= 100
    found = pickle.loads(pickle.dumps(oracle))(example)
    assert found.box is None
    assert found.probability.dtype == np.float32
    best = max(jaccard(union[graph.labels], example.mask) for union in unions)
    assert jaccard(found.probability >= 0.5, example.mask) == pytest.approx(best)
    assert best > 0.5


def test_a_large_photograph_keeps_its_size(oracle: Oracle) -> None:
    mask = np.zeros((300, 900), np.bool_)
    mask[90:210, 300:600] = True
    image = np.where(mask[..., None], (210, 120, 40), (40, 100, 120)).astype(np.uint8)
    found = oracle(Photograph("large", image, mask)).probability
    assert jaccard(found >= 0.5, mask) > 0.9


def test_a_photograph_without_segments_gives_nothing(oracle: Oracle) -> None:
    example = Photograph("dot", np.zeros((1, 1, 3), np.uint8), np.ones((1, 1), np.bool_))
    assert not oracle(example).probability.any()


def test_the_annotation_is_needed(oracle: Oracle) -> None:
    with pytest.raises(DataError, match=f"{oracle.name} needs the annotation of 'cat'") as raised:
        oracle(Photograph("cat", np.zeros((20, 20, 3), np.uint8), None))
    assert "oracle" in raised.value.cause


@pytest.mark.parametrize(("name", "build"), BUILDERS.items())
def test_training_data_are_needed(name: str, build: Callable[..., Oracle], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{name}: no training data"):
        build(NoSettings(), alone(tmp_path))


def test_ridge_agrees_with_least_squares_on_more_rows() -> None:
    features, targets = RANDOM.normal(size=(40, 3)), RANDOM.normal(size=40)
    values = np.concatenate([features, features**2], axis=1)
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    stacked = np.concatenate([standard, np.sqrt(2.5) * np.eye(6)])
    weights = np.linalg.lstsq(stacked, np.concatenate([targets - targets.mean(), np.zeros(6)]), rcond=None)[0]
    expected = standard @ weights + targets.mean()
    np.testing.assert_allclose(fit_ridge(features, targets, 2.5)(features), expected)


def test_a_constant_feature_is_harmless() -> None:
    features = np.column_stack([np.ones(9), np.arange(9.0)])
    np.testing.assert_allclose(fit_ridge(features, np.arange(9.0), 1e-9)(features), np.arange(9), atol=1e-6)


def test_object_like_segments_are_ranked_first(context: Context) -> None:
    oracle = cpmc_lite_oracle(NoSettings(), context)
    first, mean = [], []
    for index in range(2):
        example = Discs(100, 2).example(index)
        graph = superpixel_graph(example.image)
        first += [jaccard(segment[graph.labels], example.mask) for segment in oracle.ranked(graph)[:5]]
        mean += [jaccard(segment[graph.labels], example.mask) for segment in parametric_segments(graph)]
    assert np.mean(first) > np.mean(mean)


@pytest.mark.parametrize("trade", [0.0, 0.5, 0.75, 1.0])
def test_diversify_is_greedy_maximal_marginal_relevance(trade: float) -> None:
    scores, overlap = RANDOM.random(12), RANDOM.random((12, 12))
    overlap = (overlap + overlap.T) / 2
    order: list[int] = []
    while len(order) < 8:
        value = {
            i: trade * scores[i] - (1 - trade) * max((overlap[i, j] for j in order), default=0)
            for i in range(12)
            if i not in order
        }
        order.append(max(value, key=lambda i: value[i]))
    assert diversify(scores, overlap, 8, trade).tolist() == order
    assert sorted(diversify(scores, overlap, 99, trade).tolist()) == list(range(12))
