from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from jointtask.api.errors import ConfigError
from jointtask.registry.registry import Registry
from jointtask.runfile.load import dump, load, load_evaluation
from jointtask.runfile.parse import parse
from jointtask.runfile.read import structure
from jointtask.runfile.schema import RunFile

Tables = dict[str, Any]

FULL: Tables = {
    "run": {"name": "full", "seed": 7, "device": "cpu", "output": "/runs"},
    "data": {
        "train": {"name": "folder", "path": "/a", "limit": 3, "range": [0.25, 0.5]},
        "test": {"name": "folder", "path": "/b", "mode": "slow"},
    },
    "upstream": {"name": "first-task", "weight": 2, "rates": {"a b": 1.0}, "optimizer": {"rates": {"conv": 1e-10}}},
    "downstream": {"name": "second-task", "widths": [1, 2, 3]},
    "bridge": {"name": "plank"},
    "sampler": {"name": "metropolis-hastings", "moves": 5, "estimate": "weighted"},
    "proposal": [{"name": "gaussian", "widening": 1.5}],
    "em": {"draws": 4},
    "evaluate": {"metrics": ["accuracy", "error"], "predictors": ["constant"]},
}


def write(folder: Path, tables: Tables) -> Path:
    path = folder / "run.toml"
    path.write_text(tomli_w.dumps(tables))
    return path


@pytest.mark.parametrize("full", [True, False])
def test_a_dumped_run_file_loads_back_equal(
    tmp_path: Path, light_registry: Registry, light_tables: Tables, full: bool
) -> None:
    runfile = load(write(tmp_path, FULL if full else light_tables), (), light_registry)
    again = tmp_path / "again.toml"
    again.write_text(dump(runfile))
    assert load(again, (), light_registry) == runfile
    assert dump(load(again, (), light_registry)) == again.read_text()


def test_a_dumped_run_file_has_every_default(light_registry: Registry, light_tables: Tables) -> None:
    tables = tomllib.loads(dump(structure(light_tables, light_registry, "light.toml", RunFile)))
    assert tables["sampler"] == {"name": "metropolis-hastings", "estimate": "best", "moves": 20}
    assert tables["upstream"]["optimizer"]["schedule"] == {"name": "constant"}
    assert tables["em"]["rounds"] == 5
    assert "validation" not in tables["data"]


@given(
    rate=st.floats(min_value=0, allow_nan=False, allow_infinity=False),
    rates=st.dictionaries(st.text(max_size=8), st.floats(min_value=0, max_value=1e300), max_size=3),
    widths=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3),
)
def test_any_value_survives_the_round_trip(
    light_registry: Registry, rate: float, rates: dict[str, float], widths: list[int]
) -> None:
    tables = {
        **FULL,
        "upstream": {"name": "first-task", "widths": widths, "optimizer": {"rate": rate, "rates": rates}},
    }
    runfile = structure(tables, light_registry, "full.toml", RunFile)
    assert structure(tomllib.loads(dump(runfile)), light_registry, "again.toml", RunFile) == runfile


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[run]\nname = \n", r"not valid TOML at line 2, column 8: "),
        (b"[run]\nname = 'x'\nname = 'y'\n", "not valid TOML at line 3"),
        (b"[run", "not valid TOML at"),
        (b"\xff\xfe[\x00", "not a text file"),
    ],
)
def test_what_is_no_toml(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        parse(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        parse(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        parse(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xef\xbb\xbf[run]\r\nname = 'x'\r\n")
    assert parse(path) == {"run": {"name": "x"}}


def test_another_component_drops_the_keys_of_the_old_one_and_says_so(tmp_path: Path, light_registry: Registry) -> None:
    said: list[str] = []
    runfile = load(write(tmp_path, FULL), ["sampler.name=exhaustive"], light_registry, said.append)
    assert runfile.sampler.name == "exhaustive"
    assert runfile.sampler.estimate == "weighted"
    assert said == ["sampler: 'metropolis-hastings' became 'exhaustive'; dropped moves = 5"]


def test_faults_name_the_overrides(tmp_path: Path, light_registry: Registry) -> None:
    path = write(tmp_path, FULL)
    with pytest.raises(ConfigError) as caught:
        load(path, ["em.rounds=0", "sampler.name=gibs"], light_registry)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path} --set em.rounds=0 --set sampler.name=gibs: 2 problems"
    assert "did you mean 'gibbs'?" in lines[1]


def test_an_evaluation_from_overrides_alone(light_registry: Registry) -> None:
    asked = load_evaluation(["data.test.name=folder", "data.test.path=/t", "run.device=cpu"], light_registry)
    assert asked.data.test.settings.path == "/t"
    assert asked.run.device == "cpu"
    assert asked.evaluate.metrics == ()
    with pytest.raises(ConfigError, match=r"data\.test +required table is missing"):
        load_evaluation([], light_registry)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seed = " + "4" * 4400, "cannot be read"),
        ("seed = " + "[" * 2000 + "]" * 2000, "nested more than 100 deep"),
        ("seed = " + "[" * 150 + "]" * 150, "nested more than 100 deep"),
        ("a" + ".a" * 20_000 + " = 1", "a dotted key has more than 50 parts"),
        ("[" + "'a' . " * 20_000 + "a]", "a dotted key has more than 50 parts"),
        ("x = { a" + ".a" * 20_000 + " = 1 }", "a dotted key has more than 50 parts"),
        ("x = 1 " + "y" * 5000, "not valid TOML at line 1"),
        ("x = 1\n" * 2 + "x" * 5000, "not valid TOML at"),
    ],
    ids=lambda value: value[:12],
)
def test_what_the_parser_cannot_take_is_the_users_error(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        parse(path)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("text", ["a\0b.toml", "caf\udce9.toml", "\x1b[31m.toml"])
def test_a_path_that_cannot_be_one_is_named(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value).encode().isascii() or "\x1b" not in str(caught.value)


@pytest.mark.parametrize("value", ["2024-01-01", "1_1_1", "1.0", "007", "1e5", "true", "0x10", "inf", "[1]", "{}"])
def test_a_key_that_takes_text_takes_what_was_typed(tmp_path: Path, light_registry: Registry, value: str) -> None:
    path = write(tmp_path, FULL)
    assert load(path, [f"run.name={value}"], light_registry).run.name == value
    assert load(path, [f"run.name='{value}'"], light_registry).run.name == value
    assert load(path, [f"data.train.path=/x/{value}"], light_registry).data.train.settings.path == f"/x/{value}"
    with pytest.raises(ConfigError, match="expected an integer"):
        load(path, ["run.seed='3'"], light_registry)
    with pytest.raises(ConfigError, match="expected a string"):
        load(write(tmp_path, {**FULL, "run": {"name": 3}}), [], light_registry)


@pytest.mark.parametrize(
    "override", ["a" + ".a" * 20_000 + "=1", "em.rounds=" + "4" * 4400, "em.rounds=" + "[" * 2000, "=" * 9999]
)
def test_an_override_that_nobody_can_read_is_refused_in_a_few_words(
    tmp_path: Path, light_registry: Registry, override: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, FULL), [override], light_registry)
    assert len(str(caught.value)) < 1000
