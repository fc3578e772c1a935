from __future__ import annotations

import attrs
import pytest
from demo_run import changed, demo_record

from jointtask.report.view import adjustments


@pytest.mark.parametrize(
    ("histogram", "period", "mean"),
    [
        ({"-170": 1, "0": 0, "170": 3}, 360.0, "mean +175"),
        ({"-170": 1, "0": 0, "170": 3}, None, "mean +85"),
        ({"-90": 5, "0": 0, "90": 5}, 360.0, ""),
        ({"0": 0}, 360.0, ""),
    ],
)
def test_the_mean_on_a_ring_is_the_circular_one(histogram: dict[str, int], period: float | None, mean: str) -> None:
    ring = attrs.evolve(changed(demo_record(), adjustment=[histogram]), period=[period])
    # mean direction of -170 and three times 170: atan2(2 sin 170, 4 cos 170) = 174.96
    assert [card.value for card in adjustments(ring, ["angle"])] == [mean]
