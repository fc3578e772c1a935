from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from jointtask_object_extraction.photograph import FRAME
from jointtask_saliency_baselines.merge_tree import adjacent_pairs, merge_tree
from jointtask_saliency_baselines.windows import WINDOWS, box_overlap, windows
from numpy.typing import NDArray


def scene() -> NDArray[np.uint8]:
    frame = np.full((FRAME, FRAME, 3), (40, 90, 60), np.uint8)
    cv2.rectangle(frame, (30, 120), (99, 199), (200, 80, 40), -1)
    cv2.circle(frame, (160, 70), 20, (220, 220, 90), -1)
    return frame


def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (FRAME, FRAME, 3), np.uint8)


@pytest.mark.parametrize("frame", [scene(), noise(), np.full((FRAME, FRAME, 3), 128, np.uint8)])
def test_a_hundred_windows_lie_in_the_frame_and_none_repeats_another(frame: NDArray[np.uint8]) -> None:
    boxes = windows(frame)
    assert boxes.shape == (WINDOWS, 4)
    assert boxes.min() >= 0
    assert boxes.max() <= FRAME
    assert (boxes[:, 2:] - boxes[:, :2]).min() >= 16
    overlap = box_overlap(boxes, boxes)
    np.fill_diagonal(overlap, 0)
    assert overlap.max() <= 0.85


def test_objects_of_their_own_colour_are_framed() -> None:
    objects = np.array([[30, 120, 100, 200], [140, 50, 181, 91]])
    assert (box_overlap(objects, windows(scene())).max(axis=1) > 0.85).all()


def test_box_overlap_counts_pixels() -> None:
    random = np.random.default_rng(0)
    boxes = np.concatenate([random.integers(0, 6, (6, 2)), random.integers(7, 12, (6, 2))], axis=1)
    filled = np.zeros((6, 12, 12), np.bool_)
    for mask, (x1, y1, x2, y2) in zip(filled, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    expected = [[(a & b).sum() / (a | b).sum() for b in filled] for a in filled]
    np.testing.assert_allclose(box_overlap(boxes, boxes), expected)


def test_adjacent_pairs_agree_with_a_loop() -> None:
    labels = np.random.default_rng(0).integers(0, 6, (5, 7))
    meetings = set()
    for y, x in itertools.product(range(5), range(7)):
        for v, u in ((y + 1, x), (y, x + 1)):
            if v < 5 and u < 7 and labels[y, x] != labels[v, u]:
                meetings.add((*sorted((labels[y, x], labels[v, u])), y * 7 + x, v * 7 + u))
    edges, border = adjacent_pairs(labels)
    assert {(*edges[row], a, b) for row, a, b in border.tolist()} == meetings
    assert len(border) == len(meetings)
    assert len(np.unique(edges, axis=0)) == len(edges)


def test_each_merge_adds_least_to_the_squared_error() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 12, (6, 6))
    labels = np.unique(labels, return_inverse=True)[1].reshape(6, 6)
    count = labels.max() + 1
    features, sizes = random.normal(size=(count, 2)), np.bincount(labels.ravel())
    edges = adjacent_pairs(labels)[0]

    def error(members: frozenset[int]) -> float:
        chosen = list(members)
        mean = np.average(features[chosen], axis=0, weights=sizes[chosen])
        return float((sizes[chosen] * ((features[chosen] - mean) ** 2).sum(axis=1)).sum())

    regions = [frozenset({label}) for label in range(count)]
    made = []
    while True:
        pairs = [
            (error(a | b) - error(a) - error(b), a | b, a, b)
            for a, b in itertools.combinations(regions, 2)
            if any((p in a and q in b) or (p in b and q in a) for p, q in edges)
        ]
        if not pairs:
            break
        _, union, *parts = min(pairs, key=lambda pair: pair[0])
        regions = [region for region in regions if region not in parts] + [union]
        made.append(union)

    tree = merge_tree(features, sizes, edges)
    np.testing.assert_array_equal(tree[:count], np.eye(count, dtype=bool))
    assert [frozenset(np.flatnonzero(row).tolist()) for row in tree[count:]] == made


def test_parts_that_do_not_touch_are_not_merged() -> None:
    tree = merge_tree(np.zeros((4, 1)), np.ones(4, int), np.array([[0, 1], [2, 3]]))
    assert tree[4:].tolist() == [[True, True, False, False], [False, False, True, True]]
