"""Several data sets as one: positions, batches over several shards, and what the contract asks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from jointtask.api import MemoryDataset, ShardedDataset
from jointtask.testing import check_dataset

SIZES = [[3], [2, 3], [1, 1, 1, 1], [4, 0, 2], [0, 5]]


def memory(first: int, size: int) -> MemoryDataset:
    rows = range(first, first + size)
    tensors = {"x": torch.arange(first, first + size).reshape(size, 1) * torch.ones(1, 2), "y": torch.zeros(size)}
    return MemoryDataset(
        [f"id-{row}" for row in rows], tensors, [SimpleNamespace(id=f"id-{row}") for row in rows], annotation=["y"]
    )


def shards(sizes: list[int]) -> list[MemoryDataset]:
    return [memory(sum(sizes[:number]), size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize("sizes", SIZES)
def test_shards_are_one_data_set_in_their_order(sizes: list[int]) -> None:
    total, whole = sum(sizes), memory(0, sum(sizes))
    dataset = ShardedDataset(shards(sizes))
    assert len(dataset) == total
    assert list(dataset.ids) == whole.ids
    assert list(dataset.digests) == whole.digests
    assert list(dataset.input_digests) == whole.input_digests
    assert dataset.ids[1 : total - 1] == whole.ids[1 : total - 1]
    assert dataset.ids[-1] == whole.ids[-1]
    assert list(dataset.starts) == [sum(sizes[:number]) for number in range(len(sizes))]
    with pytest.raises(IndexError):
        dataset.ids[total]
    for rows in ([0], list(range(total)), [total - 1, 0], [0, 0, total - 1]):
        found, expected = dataset.batch(rows), whole.batch(rows)
        assert all(torch.equal(found[name], expected[name]) for name in expected)
        assert [dataset.example(row).id for row in rows] == [whole.ids[row] for row in rows]
    check_dataset(dataset, again=ShardedDataset(shards(sizes)))


def test_the_fingerprint_follows_every_shard_and_their_order() -> None:
    one, two, other = memory(0, 2), memory(2, 3), memory(5, 3)
    prints = [ShardedDataset(parts).fingerprint for parts in ([one, two], [two, one], [one, other], [one])]
    assert len(set(prints)) == 4


def test_input_digests_are_told_if_every_shard_tells_them() -> None:
    bare = SimpleNamespace(ids=["a"], digests=["b"], fingerprint="c", notes=())
    assert not hasattr(ShardedDataset([memory(0, 2), bare]), "input_digests")


def test_no_shard_is_no_data_set() -> None:
    with pytest.raises(ValueError, match="at least one shard"):
        ShardedDataset([])
