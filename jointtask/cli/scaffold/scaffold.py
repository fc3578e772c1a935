"""Writes what `jointtask new` gives: a package that installs, passes its test and runs as written, or a run file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from attrs import frozen

from jointtask.api import __version__
from jointtask.api.errors import ConfigError, did_you_mean
from jointtask.registry.kinds import KINDS as COMPONENTS
from jointtask.registry.registry import Registry
from jointtask.registry.version import supported_range
from jointtask.tools.files import replacing, write_atomic

__all__ = ["KINDS", "Scaffold", "scaffold"]

PARTS = (
    "sampler",
    "task",
    "bridge",
    "proposal",
    "dataset",
    "metric",
    "panel",
    "predictor",
    "optimizer",
    "observer",
)
"""The kinds that are one part of a pair, tried on `jointtask.testing.trial`."""

KINDS = (*PARTS, "plugin", "run")
"""Everything that can be written."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 50
_PAIR = {
    "upstream": "find",
    "downstream": "mark",
    "bridge": "interval",
    "dataset": "sequences",
    "metric": "accuracy",
}
_ROLES = {"task": "upstream", "bridge": "bridge", "dataset": "dataset", "metric": "metric"}


@frozen
class Scaffold:
    """What was written.

    Attributes
    ----------
    files : sequence of pathlib.Path
        Relative to the folder that it was written in.
    commands : sequence of str
        Next commands to type, in that folder.
    """

    files: Sequence[Path]
    commands: Sequence[str]


def scaffold(kind: str, name: str, folder: Path, registry: Registry) -> Scaffold:
    """Write a package, or a run file.

    Parameters
    ----------
    kind : str
        Kind of what is written: one of `KINDS`.
    name : str
        Name of the component, the plugin or the run; a package is called ``jointtask-NAME``, its module
        ``jointtask_NAME``.
    folder : pathlib.Path
        Folder that gets the new folder ``NAME``, or the file ``NAME.toml``.
    registry : Registry
        Registry of what is installed: a name that is taken is refused.

    Returns
    -------
    Scaffold

    Raises
    ------
    ConfigError
        If there is no such kind, the name cannot be used or is taken, or the folder or file exists. Nothing is written.
    """
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS)
        raise ConfigError(f"there is no kind '{kind}' to write{hint}", remedy=f"name one of {', '.join(KINDS)}")
    _require_free(kind, name, registry)
    target = folder / (f"{name}.toml" if kind == "run" else name)
    if target.exists() or target.is_symlink():
        raise ConfigError(f"{target.name} exists and is left as it is", remedy="choose another name, or move it away")
    files = _render(kind, name)
    if kind == "run":
        write_atomic(target, files[target.name])
        commands = [f"jointtask check {target.name}", f"jointtask run {target.name}"]
        return Scaffold([Path(target.name)], commands)
    _write_folder(target, files)
    commands = [f"cd {name}", "pip install -e '.[test]'", "python -m pytest", "jointtask run trial.toml --fresh"]
    return Scaffold([Path(name, file) for file in files], commands)


def _require_free(kind: str, name: str, registry: Registry) -> None:
    """Refuse a name that cannot be one, or that something installed has."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ConfigError(
            f"'{name}' cannot be the name",
            cause=f"a name is at most {_LONGEST} lower-case letters and digits, a letter first; hyphens join words",
            remedy=f"for example '{_nearest_name(name)}'",
        )
    if kind in PARTS:
        component = kind
        if name in registry.entries[component]:
            raise ConfigError(
                f"there is a {COMPONENTS[component].title} '{name}' already, from {registry.source(component, name)}",
                cause="of two that have one name, neither is used",
                remedy="choose another name",
            )
    if kind != "run" and name in {row.source.plugin for row in registry.rows()}:
        raise ConfigError(f"there is a plugin '{name}' already", remedy="choose another name, or uninstall it")


def _nearest_name(name: str) -> str:
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower())
    made = "-".join(words).lstrip("0123456789-")[:_LONGEST].rstrip("-")
    return made or "my-part"


def _module(name: str) -> str:
    return f"jointtask_{name.replace('-', '_')}"


def _render(kind: str, name: str) -> Mapping[str, str]:
    """Return the text of every file, by its path in the new folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Python and TOML, not HTML
    )
    own = name if kind == "plugin" else "trial"
    names = {role: f"{own}-{part}" for role, part in _PAIR.items()}
    if kind in _ROLES:
        names[_ROLES[kind]] = name
    module = _module(name)
    values = {
        "kind": kind,
        "name": name,
        "module": module,
        "title": COMPONENTS[kind].title if kind in COMPONENTS else kind,
        "range": supported_range(__version__),
        "names": names,
        "sampler": name if kind == "sampler" else "metropolis-hastings",
    }
    if kind == "run":
        plan = {f"{name}.toml": "trial.toml"}
    else:
        plan = {"pyproject.toml": "pyproject.toml", "README.md": "README.md", "trial.toml": "trial.toml"}
    if kind == "plugin":
        parts = ("__init__", "plugin", "settings", "data", "tasks", "bridge", "metrics")
        plan |= {f"{module}/{part}.py": f"plugin/{part}.py" for part in parts}
        plan |= {f"tests/test_{module}.py": "plugin/test.py"}
    elif kind != "run":
        plan |= {f"{module}/__init__.py": "plugin/__init__.py"}
        plan |= {f"{module}/{part}.py": f"{kind}/{part}.py" for part in ("plugin", kind)}
        plan |= {f"tests/test_{module}.py": f"{kind}/test.py"}
    return {path: environment.get_template(f"{template}.jinja").render(values) for path, template in plan.items()}


def _write_folder(target: Path, files: Mapping[str, str]) -> None:
    """Write a folder whole or not at all."""
    with replacing(target) as temporary:
        for path, text in files.items():
            (temporary / path).parent.mkdir(parents=True, exist_ok=True)
            (temporary / path).write_text(text, encoding="utf-8", newline="\n")
