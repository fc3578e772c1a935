from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs
import pytest
from attrs import field, frozen, validators

from jointtask.registry.settings import Setting, settings_of, show, type_name, with_article
from jointtask.runfile.schema import EmTable, OptimizerTable, RunTable


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (bool, "boolean"),
        (int | None, "integer"),
        (Sequence[float], "array of numbers"),
        (list[str], "array of strings"),
        (tuple[int, ...], "array of integers"),
        (tuple[int, str], "array of integer, string"),
        (Sequence[Sequence[int]], "array of arrays of integers"),
        (Mapping[str, float], "table of numbers"),
        (EmTable, "table"),
        (Literal["a"], "'a'"),
        (Literal["a", "b", "c"], "'a', 'b' or 'c'"),
    ],
)
def test_names_types(kind: Any, name: str) -> None:
    assert type_name(kind) == name


@pytest.mark.parametrize("kind", [complex, int | str, dict[int, str], Any, Literal[1, 2], Sequence, object])
def test_refuses_what_a_run_file_cannot_hold(kind: Any) -> None:
    with pytest.raises(TypeError, match="a run file cannot hold the type"):
        type_name(kind)


def test_articles() -> None:
    assert with_article("integer") == "an integer"
    assert with_article("number") == "a number"
    assert with_article("'a' or 'b'") == "'a' or 'b'"


def test_shows_values() -> None:
    assert show(["a", 1.5, True, [2]]) == "['a', 1.5, true, [2]]"


def test_describes_every_kind_of_setting() -> None:
    @frozen
    class Settings:
        needed: int = field(validator=validators.in_((1, 2)), metadata={"help": "how many"})
        limit: int | None = None
        levels: Sequence[float] = field(default=(0.0, 1.0), validator=validators.min_len(2))
        em: EmTable = field(factory=EmTable)
        share: float = field(default=0.5, validator=[validators.gt(0), validators.lt(1)])
        hidden: int = field(default=0, init=False)

    attrs.resolve_types(Settings, globals(), locals())
    assert settings_of(Settings, without=["limit"]) == [
        Setting("needed", "integer", None, "1 or 2", "how many"),
        Setting("levels", "array of numbers", "[0.0, 1.0]", "of length 2 or more", ""),
        Setting("em", "table", "{}", "", ""),
        Setting("share", "number", "0.5", "above 0 and below 1", ""),
    ]
    assert settings_of(Settings)[1].default == ""


@pytest.mark.parametrize("table", [RunTable, EmTable, OptimizerTable])
def test_every_key_of_the_core_is_explained(table: type) -> None:
    assert all(setting.help for setting in settings_of(table, without=["name", "settings"]))
