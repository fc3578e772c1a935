"""What all tests share: one thread, and a light plugin to name in run files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from jointtask.registry.registry import Registry, load_registry

sys.path.insert(0, str(Path(__file__).parent))

from installed import others_installed  # it lies beside this file


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Small tensors are faster on one thread, and busy machines stay fair."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _whole_torch() -> None:
    """Import the parts of torch that load on first use: they load once a process, and pytester forgets them."""
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


@pytest.fixture(scope="session")
def light_plugin() -> Path:
    return Path(__file__).with_name("light_plugin.py")


@pytest.fixture(scope="session")
def light_registry(light_plugin: Path) -> Registry:
    """The core's components and those of `light_plugin`, whatever else is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOINTTASK_DISABLE_PLUGINS", others_installed())
        return load_registry([str(light_plugin)])


@pytest.fixture
def core_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No plugin but the core's own, whatever is installed."""
    monkeypatch.setenv("JOINTTASK_DISABLE_PLUGINS", others_installed())


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a distribution with one plugin of one module, for the time of a test."""
    site = tmp_path / "site-packages"

    def install(name: str, body: str, *, distribution: str, version: str = "1.2", requires: Sequence[str] = ()) -> None:
        module = name.replace("-", "_")
        metadata = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (site / f"{module}.py").write_text(body)
        needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{needs}")
        (metadata / "entry_points.txt").write_text(f"[jointtask]\n{name} = {module}\n")
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, module, raising=False)

    yield install
    for path in site.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.fixture
def light_tables() -> dict[str, Any]:
    """The least that a run file needs, with the components of `light_plugin`."""
    return {
        "run": {"name": "light"},
        "data": {"train": {"name": "folder", "path": "/somewhere"}},
        "upstream": {"name": "first-task"},
        "downstream": {"name": "second-task"},
        "bridge": {"name": "plank"},
        "sampler": {"name": "metropolis-hastings"},
    }


@pytest.fixture
def plugin_file(tmp_path: Path) -> Callable[..., str]:
    """Write a plugin of one file; returns its path."""

    def write(body: str, name: str = "odd") -> str:
        path = tmp_path / f"{name}.py"
        path.write_text(
            "from jointtask import hookimpl\n"
            "from jointtask.api.component import Command, Component, NoSettings, SamplerComponent\n"
            "import attrs\n" + body
        )
        return str(path)

    return write
