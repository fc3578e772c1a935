"""`jointtask check` holds the parts of a run file to their contracts, and names the part that breaks one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import faulty_networks
import faulty_parts
import pytest
from faulty import HEAD

from jointtask.api import UserError
from jointtask.cli.scaffold import scaffold
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.check import check
from jointtask.testing import check_parts
from jointtask.tools import SilentProgress

PluginFile = Callable[..., str]
TRIAL = "jointtask.testing.trial"
CASES = {**faulty_networks.CASES, **faulty_parts.CASES}


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    return tmp_path / scaffold("run", "first", tmp_path, load_registry()).files[0]


@pytest.mark.parametrize("case", CASES)
def test_a_part_that_breaks_its_contract_is_named(
    case: str, run_file: Path, plugin_file: PluginFile, core_alone: None
) -> None:
    body, setting, message = CASES[case]
    registry = load_registry([TRIAL, plugin_file(HEAD + body)])
    with pytest.raises(UserError, match=message) as caught:
        check(load(run_file, [setting], registry), registry, SilentProgress(), check_parts)
    assert caught.value.remedy


def test_right_parts_pass_and_are_left_as_they_were(run_file: Path, core_alone: None) -> None:
    registry = load_registry([TRIAL])
    runfile = load(run_file, ["data.train.examples=1"], registry)
    assert check(runfile, registry, SilentProgress(), check_parts)  # too few examples to tell rows apart
    assert check(load(run_file, [], registry), registry, SilentProgress(), check_parts)
