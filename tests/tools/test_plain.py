from __future__ import annotations

import math
from pathlib import Path

from jointtask.api.record import Energy
from jointtask.tools.plain import to_plain


def test_plain_keeps_what_json_knows_and_writes_out_the_rest() -> None:
    value = {"a": (1, 2.5, True, None), 3: Path("x/y"), "energy": Energy(1.0, -math.inf)}
    assert to_plain(value) == {"a": [1, 2.5, True, None], "3": "x/y", "energy": {"upstream": 1.0, "downstream": None}}
