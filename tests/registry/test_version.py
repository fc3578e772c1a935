"""What a plugin that was built for another version is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jointtask import __version__
from jointtask.registry.discover import load_plugins
from jointtask.registry.version import supported_range, why_unsupported


class Distribution:
    name, version = "jointtask-other", "1.2"

    def __init__(self, *requires: str) -> None:
        self.requires = list(requires)


@pytest.mark.parametrize(
    ("version", "expected"),
    [("0.1.0", ">=0.1,<0.2"), ("0.9.3", ">=0.9,<0.10"), ("1.0.0", ">=1.0,<2"), ("2.4.1.dev3", ">=2.4,<3")],
)
def test_the_range_that_promises_the_same(version: str, expected: str) -> None:
    assert supported_range(version) == expected


@pytest.mark.parametrize(
    ("requires", "version", "refused"),
    [
        ([], "0.1.0", False),
        (["numpy>=99", "jointtask-object-extraction>=9"], "0.1.0", False),
        (["jointtask"], "0.1.0", False),
        (["jointtask>=0.1,<0.2"], "0.1.7", False),
        (["jointtask>=0.1,<0.2"], "0.1.7.dev1", False),
        (["jointtask>=0.1,<0.2"], "0.2.0", True),
        (["jointtask (>=0.2,<0.3)"], "0.1.0", True),
        (["Jointtask>=0.2; python_version>='3'"], "0.1.0", True),
        (["jointtask>=0.2; python_version<'3'"], "0.1.0", False),
        (["jointtask  nonsense"], "0.1.0", False),
    ],
)
def test_the_dependency_says_what_a_plugin_is_built_for(requires: list[str], version: str, refused: bool) -> None:
    why: str = why_unsupported(Distribution(*requires), version)  # type: ignore[arg-type]
    assert bool(why) is refused
    if refused:
        assert f"and this is jointtask {version}" in why
        assert "pip install -U jointtask-other" in why


def test_a_plugin_for_another_version_is_refused_before_it_is_imported(
    core_alone: None, install: Callable[..., None]
) -> None:
    body = "raise AssertionError('it was imported')"
    install("other", body, distribution="jointtask-other", requires=["jointtask>=7,<8"])
    (failure,) = load_plugins().failures
    assert str(failure.source) == "jointtask-other 1.2"
    assert f"built for jointtask<8,>=7, and this is jointtask {__version__}" in failure.reason
