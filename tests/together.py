"""What tests/running/test_torchrun.py runs in each process: several runs one after the other, in one world."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from attrs import evolve
from torch.distributed.distributed_c10d import PrefixStore

from jointtask.em.processes import World
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.autosave import StoppedError
from jointtask.running.run import run
from jointtask.running.torchrun import joined
from jointtask.tools.progress import SilentProgress


def main(folder: Path) -> None:
    plugins = [str(Path(__file__).with_name(name)) for name in ("toy.py", "tabulated.py", "stopping.py")]
    registry = load_registry(plugins)
    cases: list[dict[str, Any]] = json.loads((folder / "cases.json").read_text())
    with joined() as world:
        for number, case in enumerate(cases):
            own: World = evolve(world, store=PrefixStore(str(number), world.store)) if world.size > 1 else world
            runfile = load(str(folder / "run.toml"), case["overrides"], registry)
            stopping: Any = registry.plugins.manager.get_plugin("stopping")
            if case.get("rank") == world.rank:
                stopping.arm("downstream", case["calls"], signal.SIGTERM)
            try:
                run(runfile, registry, fresh=False, progress=SilentProgress(), world=own)
            except StoppedError as error:
                (folder / f"stopped-{number}-{world.rank}").write_text(str(error))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
