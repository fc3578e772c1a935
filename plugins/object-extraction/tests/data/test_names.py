"""Pairing all names of two folders at once, and names as they are shown."""

from __future__ import annotations

import unicodedata

import pytest
from jointtask_object_extraction.data.names import is_mask_name, normal, pair_names, shown


@pytest.mark.parametrize(
    ("names", "others", "partner"),
    [
        ("gas gas-mask", "gas-mask gas-mask-mask", {"gas": "gas-mask", "gas-mask": "gas-mask-mask"}),
        ("mask unmask", "mask_mask unmask_mask", {"mask": "mask_mask", "unmask": "unmask_mask"}),
        ("a a_mask b", "a a_mask b", {"a": "a", "a_mask": "a_mask", "b": "b"}),
        ("dog dog_back", "dog_back", {"dog_back": "dog_back"}),
        ("1 2 11", "11 12", {"11": "11"}),
        ("cats/b1 a", "cats/b1_mask a_mask", {"cats/b1": "cats/b1_mask", "a": "a_mask"}),
        ("a b", "gt_a gt_b", {"a": "gt_a", "b": "gt_b"}),
        ("a.jpg b.jpg", "a.jpg b.jpg a b", {"a.jpg": "a.jpg", "b.jpg": "b.jpg"}),
        ("a_image b_image", "a b", {"a_image": "a", "b_image": "b"}),
        ("im1 im2", "maskim1 maskim2", {"im1": "maskim1", "im2": "maskim2"}),
        ("a b", "a-mask a-cutout a-overlay b-mask b-cutout b-overlay", {"a": "a-mask", "b": "b-mask"}),
        ("x y", "out/x_sal out/y_sal", {"x": "out/x_sal", "y": "out/y_sal"}),
        ("a", "b", {}),
        ("", "a", {}),
    ],
)
def test_all_names_are_paired_by_the_one_rule_that_leaves_least_over(
    names: str, others: str, partner: dict[str, str]
) -> None:
    pairing = pair_names(names.split(), others.split())
    assert pairing.partner == partner
    assert not pairing.ambiguous


@pytest.mark.parametrize(
    ("names", "others", "ambiguous"),
    [
        ("gas", "gas gas-mask", {"gas": ["gas", "gas-mask"]}),
        ("a b", "a b a_mask b_mask", {"a": ["a", "a_mask"], "b": ["b", "b_mask"]}),
        ("a", "a_gt a_mask", {"a": ["a_gt", "a_mask"]}),
        ("a", "a_v1x a_v2x", {"a": ["a_v1x", "a_v2x"]}),
        ("a", "mask_a a_mask", {"a": ["a_mask", "mask_a"]}),
        ("deep/a", "deep/a deep/a_seg", {"deep/a": ["deep/a", "deep/a_seg"]}),
    ],
)
def test_two_candidates_are_named_and_not_chosen_between(
    names: str, others: str, ambiguous: dict[str, list[str]]
) -> None:
    pairing = pair_names(names.split(), others.split())
    assert pairing.ambiguous == ambiguous
    assert not pairing.partner.keys() & ambiguous.keys()


@pytest.mark.parametrize("name", ["café", "Ångström", "naïve-mask", "ﬁ", "한국어", "ñandú"])
def test_composed_and_decomposed_forms_are_one_name(name: str) -> None:
    assert normal(unicodedata.normalize("NFD", name)) == normal(unicodedata.normalize("NFC", name))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain é 한.png", "plain é 한.png"),
        ("caf\udce9.png", r"caf\udce9.png"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("two\nlines", r"two\nlines"),
        ("bell\x07", r"bell\x07"),
        ("right\u202eto-left", r"right\u202eto-left"),
        ("\x9b31m", r"\x9b31m"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(name: str, written: str) -> None:
    assert shown(name) == written
    shown(name).encode("utf-8")


@pytest.mark.parametrize("name", ["a_mask", "gt-a", "deep/a.seg", "a (mask)", "a-saliency-map"])
def test_names_that_tell_masks(name: str) -> None:
    assert is_mask_name(name)


@pytest.mark.parametrize("name", ["a", "masked", "gas", "mask/a", "mask", "unmask-1"])
def test_names_that_tell_no_masks(name: str) -> None:
    assert not is_mask_name(name)
