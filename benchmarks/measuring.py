"""What the benchmarks share: networks on the embedded data, and times that a busy machine disturbs little."""

from __future__ import annotations

import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from jointtask.cli.memory import keep_freed_memory
from jointtask.em.assembly import Assembly
from jointtask.em.batches import Examples
from jointtask.em.estep import sample_batch
from jointtask.em.latents import Latents
from jointtask.registry.registry import load_registry
from jointtask.runfile.load import load
from jointtask.running.assemble import assemble
from jointtask.tools.progress import SilentProgress

RUN_FILE = Path(__file__).parents[1] / "examples" / "object_extraction.toml"


Case = TypeVar("Case", bound=Hashable)


class Times(NamedTuple):
    """Seconds that something took: of the processor, and of the clock on the wall."""

    cpu: float
    wall: float


def build(network: str, examples: int, overrides: Iterable[str]) -> Assembly:
    """Build the example run on the CPU with other networks, fewer examples and no oracle.

    One thread, so that processor time is the time of the work and not of threads that wait for each other.
    """
    torch.set_num_threads(1)
    keep_freed_memory()  # as the command line does
    overrides = list(overrides)
    count = "limit" if "data.train.name=image-folder" in overrides else "examples"
    settings = [
        f"upstream.network={network}",
        f"downstream.network={network}",
        f"data.train.{count}={examples}",
        "em.oracle_examples=0",
        "run.device=cpu",
        *overrides,
    ]
    registry = load_registry()
    return assemble(load(RUN_FILE, settings, registry), registry, SilentProgress())


def estep(
    work: Assembly,
    rows: Sequence[int],
    batch: int,
    latents: Latents | None = None,
    round: int = 1,
    *,
    record: bool = False,
) -> Callable[[], float]:
    """Return the E-step of some images, `batch` at a time; a call returns the distinct states that an image evaluates.

    `latents` has the optima of earlier rounds; `record` adds those of this one.
    """
    pair, examples = work.pair, Examples(work.train, work.estep.terms, work.runfile, work.context)
    optima = latents or Latents.empty(len(work.train), work.estep.draws, pair.bridge.grid.dimensions)

    def sample() -> float:
        evaluated = 0.0
        pair.train(False)
        for start in range(0, len(rows), batch):
            some = examples.batch(rows[start : start + batch], prepared=True)
            sampled = sample_batch(pair, work.estep, round, some, optima)
            evaluated += float(sampled.diagnostics.evaluated.sum())
            if record:
                optima.record(some.positions, sampled.estimate, sampled.optimum, pair.bridge.grid)
        return evaluated / len(rows)

    return sample


def took(work: Callable[[], object]) -> Times:
    """Time one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_initialized():  # an accelerator is asked to work, and has to be waited for
        torch.cuda.synchronize()
    return Times(cpu=time.process_time() - cpu, wall=time.perf_counter() - wall)


def interleaved(cases: Mapping[Case, Callable[[], object]], turns: int) -> dict[Case, list[Times]]:
    """Time all cases in turn, again and again, so that a slow minute slows all of them; the first turn warms up."""
    times: dict[Case, list[Times]] = {name: [] for name in cases}
    for turn in range(turns + 1):
        for name, work in cases.items():
            spent = took(work)
            if turn > 0:
                times[name].append(spent)
    return times


def each(function: Callable[..., float], *series: Iterable[Times]) -> list[Times]:
    """Combine measurements of the same turns, clock by clock."""
    return [Times(*(function(*clock) for clock in zip(*turn, strict=True))) for turn in zip(*series, strict=True)]


def median(times: Iterable[Times]) -> Times:
    """Return the median of each clock."""
    return Times(*(statistics.median(clock) for clock in zip(*times, strict=True)))


class Stopwatch:
    """Adds up the processor time of calls, by part."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed as a part."""

        def call(*arguments: Any) -> Any:
            start = time.process_time()
            result = function(*arguments)
            self.seconds[part] += time.process_time() - start
            return result

        return call

    def watch(self, thing: Any, **parts: str) -> Any:
        """Return a stand-in for an object: its methods named by keyword are timed, as the part given."""
        return _Watched(thing, {name: self.timed(part, getattr(thing, name)) for name, part in parts.items()})


class _Watched:
    def __init__(self, thing: Any, timed: Mapping[str, Callable[..., Any]]) -> None:
        self._thing, self._timed = thing, timed

    def __getattr__(self, name: str) -> Any:
        return self._timed.get(name) or getattr(self._thing, name)

    def __call__(self, *arguments: Any) -> Any:
        return self._timed["__call__"](*arguments)


def machine() -> str:
    """Name the processor and what runs on it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{model or platform.machine()}, torch {torch.__version__}, threads: {torch.get_num_threads()}"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Lay out a Markdown table."""
    columns = list(columns)
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, ["---"] * len(columns), *rows]) + "\n"


def milliseconds(seconds: float) -> str:
    """Format a time."""
    return f"{seconds * 1e3:.2f}"
