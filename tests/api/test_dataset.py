from types import SimpleNamespace

import pytest
import torch

from jointtask.api import MemoryDataset
from jointtask.testing import check_dataset


def dataset(ids: tuple[str, ...] = ("a", "b", "c"), scale: float = 1.0, label: float = 0.0) -> MemoryDataset:
    tensors = {"x": torch.arange(6.0).reshape(3, 2) * scale, "y": torch.tensor([0.0, 1.0, 2.0]) + label}
    examples = [SimpleNamespace(id=name) for name in ids]
    return MemoryDataset(ids, tensors, examples, annotation=["y"], notes=["generated"])


def test_it_holds_to_the_contract() -> None:
    check_dataset(dataset(), again=dataset())


def test_digests_follow_the_content() -> None:
    assert dataset().digests == dataset().digests
    assert not set(dataset().digests) & set(dataset(label=1.0).digests)
    assert dataset().input_digests == dataset(label=1.0).input_digests
    assert dataset().input_digests[1:] != dataset(scale=2.0).input_digests[1:]


def test_the_fingerprint_follows_ids_and_content() -> None:
    prints = [dataset().fingerprint, dataset(("a", "b", "d")).fingerprint, dataset(label=1.0).fingerprint]
    assert len(set(prints)) == 3


def test_tensors_of_any_type_are_digested() -> None:
    tensors = {
        "flag": torch.tensor([True, False]),
        "half": torch.zeros(2, 3, dtype=torch.bfloat16),
        "turned": torch.zeros(3, 2).T,
        "scalar": torch.tensor([1, 2]),
    }
    examples = [SimpleNamespace(id=name) for name in "ab"]
    assert len(set(MemoryDataset(["a", "b"], tensors, examples).digests)) == 2


def test_ids_that_are_not_utf8_are_names_like_others() -> None:
    assert len(dataset(("a", "\udce9", "c")).fingerprint) == 64


@pytest.mark.parametrize("ids", [("a", "b"), ("a", "b", "c", "d")])
def test_one_of_each_is_needed(ids: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="one of each is needed"):
        dataset(ids)
