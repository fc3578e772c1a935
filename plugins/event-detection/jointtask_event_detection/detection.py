"""What is predicted for one recording."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["Detection"]


@frozen(eq=False)
class Detection:
    """An event and its samples.

    Attributes
    ----------
    probability : ndarray, (512,), float32
        Probability that a sample belongs to the event.
    interval : ndarray, (2,), float32
        Onset and offset, half-open, in samples.
    """

    probability: NDArray[np.float32]
    interval: NDArray[np.float32]
