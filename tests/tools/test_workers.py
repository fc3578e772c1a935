"""A function of one example, spread over processes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jointtask.api.errors import RunError
from jointtask.tools.workers import spread


def of_no_module() -> Callable[[int], int]:
    """Make a function that can be pickled, but not read by another process: its module exists in this one alone."""
    module = ModuleType("only_here")
    exec("import os\ndef here(example):\n    return os.getpid()\n", vars(module))
    sys.modules[module.__name__] = module
    function: Callable[[int], int] = module.here
    return function


def test_examples_keep_their_order() -> None:
    with spread(math.sqrt, 2) as of_many:
        assert of_many([4, 1, 9]) + of_many([0, 16]) == [2, 1, 3, 0, 4]


def test_a_process_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with spread(os.getenv, 2) as of_many:
        assert of_many(["OMP_NUM_THREADS"]) == ["1"]


@pytest.mark.parametrize(
    ("function", "workers"), [(of_no_module(), 1), (of_no_module(), 2), (lambda example: os.getpid(), 2)]
)
def test_what_cannot_be_sent_stays_here(function: Callable[[Any], Any], workers: int) -> None:
    with spread(function, workers) as of_many:
        assert of_many(range(3)) == 3 * [os.getpid()]


def test_an_error_is_raised_where_it_can_be_read() -> None:
    with spread(math.sqrt, 2) as of_many, pytest.raises(ValueError, match=r"nonnegative|math domain"):
        of_many([4, -1])


def test_a_process_that_ends_is_told() -> None:
    with spread(os._exit, 2) as of_many, pytest.raises(RunError, match="ended without an answer"):
        of_many([1])


PROGRAM = """
import math
from jointtask.tools import spread
with spread(math.sqrt, 2) as of_many:
    print(of_many([4, 9]))
"""


@pytest.mark.parametrize("way", ["standard input", "-c", "a script without a guard", "a notebook's cell", "exec"])
def test_the_main_program_need_not_be_importable(tmp_path: Path, way: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    command = {
        "standard input": ["-"],
        "-c": ["-c", PROGRAM],
        "a script without a guard": [str(script)],
        "a notebook's cell": ["-c", f"del __spec__; exec(compile({PROGRAM!r}, '<cell 1>', 'exec'))"],
        "exec": ["-c", f"__file__ = '/none/such.py'; exec({PROGRAM!r})"],
    }[way]
    done = subprocess.run([sys.executable, *command], input=PROGRAM, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[2.0, 3.0]\n", "")
