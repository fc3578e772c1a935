from collections.abc import Sequence

import attrs
import pytest
from attrs import frozen

from jointtask.api import setting
from jointtask.registry.settings import settings_of


@frozen
class Everything:
    needed: int = setting(help="what must be given", gt=0, le=5)
    share: float = setting(0.5, "a share", ge=0, lt=1)
    levels: Sequence[float] = setting((0.0,), "levels", min_length=1)
    names: dict[str, int] = setting(factory=dict, help="names")
    limit: float | None = setting(None, "a limit, if any", gt=0)
    file: str = setting("", "a file", path=True, training_only=True)


def test_a_setting_is_an_attrs_field_with_its_words_and_marks() -> None:
    made = Everything(needed=3)
    assert (made.share, made.levels, made.names, made.limit) == (0.5, (0.0,), {}, None)
    words = {each.key: (each.default, each.bounds) for each in settings_of(Everything)}
    assert words["needed"] == (None, "above 0 and at most 5")
    assert words["share"] == ("0.5", "at least 0 and below 1")
    assert words["levels"] == ("[0.0]", "non-empty")
    assert words["limit"] == ("", "above 0")
    assert attrs.fields(Everything).file.metadata == {"help": "a file", "path": True, "training_only": True}


@pytest.mark.parametrize(
    "values", [{"needed": 0}, {"needed": 6}, {"needed": 1, "share": 1.0}, {"needed": 1, "levels": ()}, {"limit": 0.0}]
)
def test_bounds_are_held(values: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Everything(**values)  # type: ignore[arg-type]


def test_factories_are_not_shared() -> None:
    assert Everything(1).names is not Everything(1).names


def test_a_setting_without_a_help_text_is_refused() -> None:
    with pytest.raises(TypeError, match="needs a help text"):
        setting(3)
