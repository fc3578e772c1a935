from __future__ import annotations

from toy import BumpData, Bumps

from jointtask.running.overlap import overlaps


def test_data_sets_that_share_examples_are_named() -> None:
    one, other = Bumps(BumpData(examples=9, seed=1)), Bumps(BumpData(examples=5, seed=1))
    (overlap,) = overlaps({"train": one, "validation": None, "test": other})
    assert str(overlap) == "train and test share 5 examples: 1-0000, 1-0001, 1-0002 and 2 more"
    assert overlaps({"train": one, "test": Bumps(BumpData(seed=2))}) == []


def test_an_example_is_known_again_by_its_input_where_both_tell_it() -> None:
    one, other = Bumps(BumpData(examples=2, seed=1)), Bumps(BumpData(examples=2, seed=2))
    one.input_digests, other.input_digests = ["aa", "bb"], ["bb", "cc"]  # type: ignore[attr-defined]
    (overlap,) = overlaps({"train": one, "test": other})
    assert overlap.ids == [("1-0001", "2-0000")]
    assert str(overlap).endswith("share 1 examples: 1-0001 = 2-0000")
    del other.input_digests  # type: ignore[attr-defined]
    assert overlaps({"train": one, "test": other}) == []
