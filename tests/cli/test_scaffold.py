"""What `jointtask new` writes passes its own tests, runs and installs as written; what cannot be written is refused."""

from __future__ import annotations

import importlib
import os
import shlex
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import Any

import pytest
from installed import others_installed

from jointtask import cli
from jointtask.api.errors import ConfigError
from jointtask.cli.scaffold import KINDS, scaffold
from jointtask.registry.registry import Registry, load_registry

pytest_plugins = ["pytester"]

# pytester forgets the modules that are first imported inside of it, and would give every later test a second copy.
for _module in ("testing.trial", "running.run", "runfile.load", "report.panels"):
    importlib.import_module(f"jointtask.{_module}")


@pytest.fixture(scope="module")
def registry() -> Registry:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOINTTASK_DISABLE_PLUGINS", others_installed())
        return load_registry()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "run"])
def test_a_new_package_passes_its_own_tests(kind: str, pytester: pytest.Pytester, registry: Registry) -> None:
    written = scaffold(kind, f"my-{kind}", pytester.path, registry)
    assert all((pytester.path / file).is_file() for file in written.files)
    os.chdir(pytester.path / f"my-{kind}")
    pytester.runpytest_inprocess("-q", "-W", "error").assert_outcomes(
        passed=6 if kind == "plugin" else 3 + (kind == "metric")
    )


def test_loading_a_new_package_imports_nothing_heavy(tmp_path: Path, registry: Registry) -> None:
    """Every command loads what is installed: torch, numpy and matplotlib wait until something is built."""
    kinds = [kind for kind in KINDS if kind != "run"]
    for kind in kinds:
        scaffold(kind, f"my-{kind}", tmp_path, registry)
    code = (
        "import sys; sys.path[:0] = sys.argv[1:];"
        "from jointtask.registry.registry import load_registry;"
        f"registry = load_registry([f'jointtask_my_{{kind}}.plugin' for kind in {kinds}]);"
        "print([*registry.failures], sorted({'torch', 'numpy', 'matplotlib'} & set(sys.modules)))"
    )
    folders = [str(tmp_path / f"my-{kind}") for kind in kinds]
    environment = os.environ | {"JOINTTASK_DISABLE_PLUGINS": others_installed()}
    done = subprocess.run([sys.executable, "-c", code, *folders], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[] []", done.stderr


def test_a_new_run_file_runs(tmp_path: Path, registry: Registry, jointtask_run) -> None:  # type: ignore[no-untyped-def]
    written = scaffold("run", "first", tmp_path, registry)
    assert list(written.files) == [Path("first.toml")]
    small = ("em.rounds=1", "em.warmup_epochs=1", "data.train.examples=32")
    assert jointtask_run(tmp_path / "first.toml", *small).name == "first"


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "first.toml"],
        ["check", "first.toml", "--plugin", "jointtask.testing.trial"],
        ["check", "first.toml", "--set", "sampler.name=gibbs"],
        ["data", "check", "first.toml"],
        ["run", "first.toml", "--set", "em.rounds=1", "--set", "em.warmup_epochs=1"],
        ["evaluate", "trial-threshold", "--set", "data.test.name=trial-sequences"],
        [
            "evaluate",
            "trial-mean",
            "--set",
            "data.test.name=trial-sequences",
            "--set",
            "data.train.name=trial-sequences",
        ],
    ],
)
def test_a_new_run_file_needs_no_plugin_to_be_named(
    arguments: list[str], tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, core_alone: None
) -> None:
    monkeypatch.chdir(tmp_path)
    scaffold("run", "first", tmp_path, registry)
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_whole(kind: str, tmp_path: Path, registry: Registry) -> None:
    """No placeholder is left, the metadata names what is there, and the commands name files that exist."""
    written = scaffold(kind, "a1-b2", tmp_path, registry)
    for file in written.files:
        text = (tmp_path / file).read_text()
        assert text.endswith("\n")
        assert "{{" not in text
        assert "{%" not in text
        assert "jointtask.testing" in text or "{" not in text or file.suffix != ".md"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    if kind != "run":
        project = tomllib.loads((tmp_path / "a1-b2" / "pyproject.toml").read_text())["project"]
        assert project["dependencies"][0] == "jointtask>=0.1,<0.2"
        (module,) = project["entry-points"]["jointtask"].values()
        assert (tmp_path / "a1-b2" / (module.replace(".", "/") + ".py")).is_file()
    named = [word for command in written.commands for word in shlex.split(command) if word.endswith((".py", ".toml"))]
    assert all(list(tmp_path.rglob(name)) for name in named)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("samplr", "mine", "there is no kind 'samplr' to write; did you mean 'sampler'?"),
        ("sampler", "My Sampler", "'My Sampler' cannot be the name"),
        ("sampler", "2opt", "'2opt' cannot be the name"),
        ("sampler", "../up", "'../up' cannot be the name"),
        ("sampler", "", "'' cannot be the name"),
        ("sampler", "a" * 51, "cannot be the name"),
        ("sampler", "gibbs", "there is a sampler 'gibbs' already, from jointtask "),
        ("proposal", "gaussian", "there is a proposal term 'gaussian' already"),
        ("plugin", "jointtask", "there is a plugin 'jointtask' already"),
    ],
)
def test_what_cannot_be_written_is_refused(
    kind: str, name: str, message: str, tmp_path: Path, registry: Registry
) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")) as caught:
        scaffold(kind, name, tmp_path, registry)
    assert caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_name_is_given_a_right_one(tmp_path: Path, registry: Registry) -> None:
    for name, right in {"My Sampler": "my-sampler", "ParallelTempering": "parallel-tempering", "2!": "my-part"}.items():
        with pytest.raises(ConfigError) as caught:
            scaffold("sampler", name, tmp_path, registry)
        assert caught.value.remedy == f"for example '{right}'"


@pytest.mark.parametrize(("kind", "target"), [("sampler", "mine"), ("run", "mine.toml")])
def test_what_exists_is_left_as_it_is(kind: str, target: str, tmp_path: Path, registry: Registry) -> None:
    (tmp_path / target).write_text("mine")
    with pytest.raises(ConfigError, match=f"{target} exists and is left as it is"):
        scaffold(kind, "mine", tmp_path, registry)
    assert (tmp_path / target).read_text() == "mine"


def test_a_folder_is_written_whole_or_not_at_all(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_text

    def full(path: Path, *arguments: Any, **more: Any) -> int:
        if path.name == "trial.toml":
            raise OSError(28, "No space left on device", str(path))
        return write(path, *arguments, **more)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left") as caught:
        scaffold("sampler", "mine", tmp_path, registry)
    assert caught.value.filename == str(tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_it_wrote_and_what_is_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], core_alone: None
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        cli.main(["new", "sampler", "mine"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "wrote mine/jointtask_mine/sampler.py" in said
    assert "  pip install -e '.[test]'\n  python -m pytest\n" in said
    assert "  jointtask run trial.toml --fresh\n" in said
    with pytest.raises(SystemExit) as caught:
        cli.main(["new", "sampler", "mine"])
    assert caught.value.code == 2
    assert "mine exists and is left as it is\n  remedy: " in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sampler", "plugin"])
def test_a_new_package_installs_and_runs_by_name(kind: str, tmp_path: Path, registry: Registry) -> None:
    """In an environment of its own, which sees the packages of this one, and without a network."""
    scaffold(kind, "mine", tmp_path, registry)
    venv.create(tmp_path / "venv", with_pip=False)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site / "here.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in here))
    python = str(tmp_path / "venv" / "bin" / "python")

    def call(*arguments: str) -> str:
        environment = {**os.environ, "JOINTTASK_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [python, "-m", *arguments],
            cwd=tmp_path / "mine",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    call("pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-e", ".")
    assert "mine  (jointtask-mine 0.1.0)  loaded" in call("jointtask", "plugins")
    assert "report: " in call("jointtask", "run", "trial.toml", "--set", "em.rounds=1")
