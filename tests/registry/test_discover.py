from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from jointtask.api.errors import ConfigError
from jointtask.registry.discover import code_digest, load_plugins
from jointtask.registry.hooks import notify

PluginFile = Callable[..., str]
Install = Callable[..., None]


def test_builtins_come_through_the_same_manager() -> None:
    loaded = load_plugins()
    assert loaded.loaded["jointtask"].distribution == "jointtask"
    assert loaded.manager.has_plugin("jointtask")


def test_the_digest_of_code_is_that_of_a_whole_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "digested"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "other.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("digested")
    before = code_digest(module)
    assert code_digest(module) == before
    (package / "other.py").write_text("value = 2\n")
    assert code_digest(module) != before


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module' (odd.py, line 4)"),
        ("1 / 0\n", "ZeroDivisionError: division by zero (odd.py, line 4)"),
        ("raise SystemExit(3)\n", "SystemExit: 3 (odd.py, line 4)"),
        ("def broken(:\n", "SyntaxError: "),
        (
            "@hookimpl\ndef jointtask_sampler():\n    return []\n",
            "there is no hook 'jointtask_sampler'; did you mean 'jointtask_samplers'?",
        ),
        (
            "def jointtask_sampler():\n    return []\n",
            "there is no hook 'jointtask_sampler'; did you mean 'jointtask_samplers'?",
        ),
        ("def jointtask_samplers():\n    return []\n", "jointtask_samplers is not marked with @jointtask.hookimpl"),
        (
            "@hookimpl\ndef jointtask_run_failed(recrod): ...\n",
            "wrong arguments in jointtask_run_failed(recrod): the hook takes record and error, or fewer",
        ),
        (
            "@hookimpl\ndef jointtask_tasks(context): ...\n",
            "wrong arguments in jointtask_tasks(context): the hook takes no arguments",
        ),
        ("@hookimpl(wrapper=True)\ndef jointtask_samplers():\n    return (yield)\n", "is a hook wrapper"),
    ],
)
def test_a_broken_plugin_is_a_failure_with_its_reason(plugin_file: PluginFile, body: str, reason: str) -> None:
    loaded = load_plugins([plugin_file(body)])
    (failure,) = [failure for failure in loaded.failures if failure.source.plugin == "odd"]
    assert reason in failure.reason
    assert "\n" not in failure.reason
    assert "odd" not in loaded.loaded
    assert "jointtask" in loaded.loaded


def test_a_plugin_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_plugins([str(tmp_path / "missing.py")])


def test_a_file_that_is_no_python(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    (failure,) = [failure for failure in load_plugins([path]).failures if failure.source.plugin == "notes"]
    assert "does not end in .py" in failure.reason


def test_the_version_of_a_file_is_its_content(plugin_file: PluginFile) -> None:
    first = load_plugins([plugin_file("a = 1\n")]).loaded["odd"]
    second = load_plugins([plugin_file("a = 2\n")]).loaded["odd"]
    assert first.distribution == second.distribution == "odd.py"
    assert first.version != second.version


def test_a_name_claimed_twice_loads_neither(plugin_file: PluginFile, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "odd.py"
    twin.write_text("b = 2\n")
    loaded = load_plugins([plugin_file("a = 1\n"), twin])
    assert "odd" not in loaded.loaded
    reasons = [failure.reason for failure in loaded.failures if failure.source.plugin == "odd"]
    assert len(reasons) == 2
    assert all(reason.count("odd.py sha256:") == 2 for reason in reasons)


def test_disabled_by_the_environment(plugin_file: PluginFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTTASK_DISABLE_PLUGINS", "other, odd")
    loaded = load_plugins([plugin_file("1 / 0\n")])
    assert [source.plugin for source in loaded.disabled] == ["odd"]
    assert all(failure.source.plugin != "odd" for failure in loaded.failures)


def test_an_installed_plugin_is_found_and_isolated(core_alone: None, install: Install) -> None:
    install("crashy", "raise RuntimeError('on purpose')", distribution="crashy-distribution")
    loaded = load_plugins()
    (failure,) = loaded.failures
    assert str(failure.source) == "crashy-distribution 1.2"
    assert "RuntimeError: on purpose" in failure.reason
    assert list(loaded.loaded) == ["jointtask"]


def test_an_observer_that_raises_is_reported_and_the_others_are_called(plugin_file: PluginFile) -> None:
    bad = plugin_file("@hookimpl\ndef jointtask_round_finished(record):\n    raise ValueError('no disk')\n", "bad")
    good = plugin_file("seen = []\n@hookimpl\ndef jointtask_round_finished(record):\n    seen.append(record)\n", "good")
    exiting = plugin_file("@hookimpl\ndef jointtask_round_finished():\n    raise SystemExit(1)\n", "exiting")
    loaded = load_plugins([bad, good, exiting])
    lines = notify(loaded, "jointtask_round_finished", record="the record")
    assert loaded.manager.get_plugin("good").seen == ["the record"]  # type: ignore[union-attr]
    assert len(lines) == 2
    assert any("bad.py" in line and "ValueError: no disk" in line and "the run goes on" in line for line in lines)
    assert any("exiting.py" in line and "SystemExit" in line for line in lines)


def test_an_observer_cannot_swallow_an_interruption(plugin_file: PluginFile) -> None:
    loaded = load_plugins([plugin_file("@hookimpl\ndef jointtask_run_started():\n    raise KeyboardInterrupt\n")])
    with pytest.raises(KeyboardInterrupt):
        notify(loaded, "jointtask_run_started", record=None)


def test_a_module_is_named_like_a_file() -> None:
    loaded = load_plugins(["jointtask.testing.trial"])
    source = loaded.loaded["jointtask.testing.trial"]
    assert source.version.startswith("sha256:")
    with pytest.raises(ConfigError, match="No such file") as caught:
        load_plugins(["no_such_package.plugin"])
    assert "a module that can be imported" in caught.value.remedy


def test_what_is_named_goes_before_what_is_installed(
    plugin_file: PluginFile, core_alone: None, install: Install
) -> None:
    install("odd", "raise AssertionError('the installed one was loaded')", distribution="installed-odd")
    loaded = load_plugins([plugin_file("a = 1\n")])
    assert list(loaded.loaded) == ["jointtask", "odd"]
    assert not loaded.failures
