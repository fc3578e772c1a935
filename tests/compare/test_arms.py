"""The arms of a comparison: from tables and --vary to run files, with every fault at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from jointtask.api.errors import ConfigError
from jointtask.compare.arms import Plan, plan
from jointtask.registry.registry import Registry

Compare = Callable[..., Plan]
NAMES = ["--vary sampler.name=none", "sampler.name=gaussian"]


@pytest.fixture
def compare(tmp_path: Path, light_tables: dict[str, Any], light_registry: Registry) -> Compare:
    """Plan a comparison of the light run file; `table` becomes its `compare` table."""

    def make(*vary: str, table: dict[str, Any] | None = None, **options: Any) -> Plan:
        path = tmp_path / "light.toml"
        path.write_text(tomli_w.dumps({**light_tables, **({} if table is None else {"compare": table})}))
        return plan(path, light_registry, vary=vary, **options)

    return make


def problems(error: pytest.ExceptionInfo[ConfigError]) -> list[str]:
    """Return the rows of a listing of faults, without the spaces between path and reason."""
    return [" ".join(row.split()) for row in str(error.value).splitlines()[1:]]


def test_each_value_of_a_key_is_an_arm(compare: Compare) -> None:
    found = compare("sampler.name=none", "sampler.name=gibbs", "sampler.name=exhaustive")
    assert [arm.name for arm in found.arms] == ["none", "gibbs", "exhaustive"]
    assert [arm.runfile.sampler.name for arm in found.arms] == ["none", "gibbs", "exhaustive"]
    assert found.arms[1].settings == {"sampler.name": "'gibbs'"}
    assert (found.name, found.reference, found.seeds) == ("light", "none", 1)


def test_several_keys_are_crossed(compare: Compare) -> None:
    found = compare("sampler.name=none", "em.rounds=2", "sampler.name=gibbs", "em.rounds=3")
    assert [arm.name for arm in found.arms] == ["none,rounds=2", "none,rounds=3", "gibbs,rounds=2", "gibbs,rounds=3"]
    assert [arm.runfile.em.rounds for arm in found.arms] == [2, 3, 2, 3]


@pytest.mark.parametrize(
    "value", ["x" * 61, "x" * 5000, "\u6f22" * 200, "a/" * 300, "caf\u00e9 " * 90, "\U0001f600" * 70]
)
def test_long_values_give_folder_names_that_are_bounded_and_distinct(compare: Compare, value: str) -> None:
    found = compare(f"data.train.path={value}1", f"data.train.path={value}2", reference=None)
    one, two = (arm.name for arm in found.arms)
    assert one != two
    assert max(len(name.encode()) for name in (one, two)) <= 60
    assert found.arms[1].settings == {"data.train.path": f"'{value}2'"}
    whole = f"path={value}2" if value.startswith("x") else two
    assert compare(f"data.train.path={value}1", f"data.train.path={value}2", reference=whole).reference == two


@pytest.mark.parametrize(
    ("vary", "name"),
    [
        (["upstream.weight=1", "downstream.weight=0.5"], "upstream.weight=1,downstream.weight=0.5"),
        (["upstream.widths=[4, 8]"], "widths=-4-8"),
        (["data.train.path=/a b/c"], "path=-a-b-c"),
        (["upstream.optimizer={ rate = 0.1 }"], "optimizer=-rate-0.1"),
        (["data.train.name=folder"], "folder"),
        (["run.channels_last=true"], "channels_last=true"),
    ],
)
def test_names_of_arms_are_names_of_folders(compare: Compare, vary: list[str], name: str) -> None:
    assert [arm.name for arm in compare(*vary).arms] == [name]


def test_named_arms_set_dotted_keys_and_nested_tables(compare: Compare) -> None:
    arms = {
        "sim": {"sampler.name": "none"},
        "long": {"em": {"rounds": 9}, "upstream": {"optimizer.rate": 0.5, "rates": {}}},
        "base": {},
    }
    found = compare(table={"arms": arms, "reference": "base", "seeds": 3})
    sim, long, base = found.arms
    assert (sim.name, long.name, base.name) == ("sim", "long", "base")
    assert sim.runfile.sampler.name == "none"
    assert long.settings == {"em.rounds": "9", "upstream.optimizer.rate": "0.5", "upstream.rates": "{}"}
    assert (long.runfile.em.rounds, long.runfile.upstream.optimizer.rate) == (9, 0.5)
    assert base.runfile.sampler.name == "metropolis-hastings"
    assert (found.reference, found.seeds) == ("base", 3)


def test_named_arms_are_crossed_with_varied_keys(compare: Compare) -> None:
    arms = {"sim": {"sampler.name": "none"}, "mcmc": {}}
    found = compare("em.rounds=1", "em.rounds=2", table={"arms": arms})
    assert [arm.name for arm in found.arms] == ["sim,rounds=1", "sim,rounds=2", "mcmc,rounds=1", "mcmc,rounds=2"]


def test_the_command_line_wins(compare: Compare, tmp_path: Path) -> None:
    table = {"arms": {"a": {}, "b": {"em.rounds": 2}}, "reference": "a", "seeds": 3}
    found = compare(table=table, reference="b", seeds=2, output=str(tmp_path / "out"))
    assert (found.reference, found.seeds) == ("b", 2)
    assert found.folder == tmp_path / "out" / "light-compare"


def test_what_arms_share_comes_before_what_they_set(compare: Compare) -> None:
    said: list[str] = []
    shared = ["sampler.moves=7", "em.rounds=5", "run.name=other"]
    found = compare("sampler.name=none", "sampler.name=metropolis-hastings", overrides=shared, say=said.append)
    assert said == ["arm 'none': sampler: 'metropolis-hastings' became 'none'; dropped moves = 7"]
    assert found.arms[1].runfile.sampler.settings.moves == 7
    assert [arm.runfile.em.rounds for arm in found.arms] == [5, 5]
    assert found.folder.name == "other-compare"


def test_a_run_has_its_own_directory_and_seed(compare: Compare, tmp_path: Path) -> None:
    found = compare("sampler.name=none", overrides=["run.seed=4"])
    table = found.arms[0].at(tmp_path, 2).run
    assert (table.name, table.output, table.seed) == ("none-seed-6", str(tmp_path), 6)


def test_every_fault_of_every_arm_comes_at_once(compare: Compare) -> None:
    table = {
        "seeds": 0,
        "referense": "sim",
        "arms": {"sim": {"sampler.name": "nome"}, "two": {"em.roundz": 2, "run.name": "x"}, "three": {}, "four": 4},
    }
    with pytest.raises(ConfigError) as caught:
        compare(table=table)
    assert caught.value.exit_code == 2
    assert problems(caught) == [
        "compare.referense unknown key; did you mean 'reference'?",
        "compare.arms.four expected a table, got the integer 4",
        "compare.seeds must be at least 1, got 0",
        "sampler.name (arm 'sim') no sampler is called 'nome'; did you mean 'none'?",
        "available: exhaustive, gaussian, gibbs, metropolis-hastings, none (jointtask 0.1.0)",
        "run.name (arm 'two') is the same for all arms: set it with --set",
        "em.roundz (arm 'two') unknown key; did you mean 'rounds'?",
    ]
    arms = {"sim": {"sampler.name": "nome"}, "two": {"em.roundz": 2, "run.name": "x"}, "three": {"run.seed.x": 1}}
    with pytest.raises(ConfigError) as caught:
        compare(table={"arms": arms, "reference": "simm"}, overrides=["em.draws=0"])
    assert problems(caught) == [
        "sampler.name (arm 'sim') no sampler is called 'nome'; did you mean 'none'?",
        "available: exhaustive, gaussian, gibbs, metropolis-hastings, none (jointtask 0.1.0)",
        "em.draws must be at least 1, got 0",
        "run.name (arm 'two') is the same for all arms: set it with --set",
        "em.roundz (arm 'two') unknown key; did you mean 'rounds'?",
        "run.seed (arm 'three') expected an integer, got a table",
        "compare.reference no arm is called 'simm'; did you mean 'sim'?",
    ]


@pytest.mark.parametrize(
    ("vary", "options", "message"),
    [
        ([], {}, "nothing to compare"),
        ([], {"table": {}}, "nothing to compare"),
        ([], {"table": {"arms": {}}}, "nothing to compare"),
        (["sampler.name"], {}, "--vary sampler.name: not KEY=VALUE"),
        (["sampler.name=none", "sampler.name=none"], {}, "arm 'none' +is there twice"),
        (["run.name.x=1"], {}, "run.name.x .* run.name is a value, not a table"),
        (["sampler.name=none"], {"reference": "non"}, "--reference +no arm is called 'non'; did you mean 'none'"),
        (["sampler.name=none"], {"reference": "zzz"}, "no arm is called 'zzz'; arms: none"),
        ([], {"table": {"arms": {"a/b": {}}}}, "compare.arms +must be the plain name of a folder, got 'a/b'"),
        ([], {"table": {"arm": {"a": {}}}}, "compare.arm +unknown table; did you mean 'arms'"),
        ([], {"table": {"arms": {"a": {"compare.seeds": 2}}}}, "compare.seeds .* is the same for all arms"),
    ],
)
def test_a_comparison_that_makes_no_sense(
    compare: Compare, vary: list[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        compare(*vary, **options)
