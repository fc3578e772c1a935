"""What an observer costs: the CSV logger of docs/plugins.md beside a training step, in processor time.

``python benchmarks/observers.py`` takes a minute on one core; the step is one of the demo, with 16 examples.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from measuring import build

from jointtask.api import Observer, StepRecord
from jointtask.em.batches import Examples
from jointtask.em.mstep import MStep, train_batch
from jointtask.em.observers import Observers
from jointtask.running.assemble import assemble_optimizers

GUIDE = Path(__file__).parents[1] / "docs" / "plugins.md"
EXAMPLES, STEPS, CALLS = 16, 30, 100


def csv_observer() -> Any:
    """Return the observer that the guide shows, writing into a temporary folder."""
    code = re.search(r"```python\n(class CsvObserver.*?)\n\n\n@frozen", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None, f"{GUIDE} has no CsvObserver"
    names: dict[str, Any] = {"Observer": Observer, "Path": Path}
    exec(code[1], names)  # the guide's own example
    observer = names["CsvObserver"]("steps.csv")
    observer.run_started(SimpleNamespace(directory=tempfile.mkdtemp()), 0)
    return observer


def seconds(call: Callable[[], object]) -> float:
    """Return the processor time of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    """Print the median time of a step, and of telling the observers of it."""
    torch.set_num_threads(1)
    work = build("compact", EXAMPLES, [])
    pair = work.pair
    batch = Examples(work.train, {}, work.runfile, work.context).batch(range(EXAMPLES))
    mstep = MStep(assemble_optimizers(work))
    reference = pair.bridge.base(batch.tensors)[:, None]
    pair.train(True)
    train_batch(pair, mstep, 0, batch, reference)
    step = statistics.median(seconds(lambda: train_batch(pair, mstep, 0, batch, reference)) for _ in range(STEPS))
    print(f"a step: {1e3 * step:.1f} ms")
    record = StepRecord(1, 0, 0, dict.fromkeys(pair.modules, 1.0), dict.fromkeys(pair.modules, 1.0), {"upstream": 0.1})
    for name, observers in (("none", Observers()), ("CSV", Observers({"csv": csv_observer()}, print))):

        def tell(observers: Observers = observers) -> None:
            for _ in range(CALLS):
                if observers:
                    observers.tell("step_finished", record)

        cost = statistics.median(seconds(tell) for _ in range(STEPS)) / CALLS
        print(f"observers, {name}: {1e3 * cost:.4f} ms, {100 * cost / step:.3f} % of a step")


if __name__ == "__main__":
    main()
