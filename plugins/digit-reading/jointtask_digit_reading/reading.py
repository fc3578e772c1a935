"""What is predicted for one scene."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["Reading"]


@frozen(eq=False)
class Reading:
    """A digit and the angle that it was read at.

    Attributes
    ----------
    probability : ndarray, (10,), float32
        Probabilities of the digits 0 to 9.
    angle : float
        Rotation of the digit, in degrees from -180 to 180.
    """

    probability: NDArray[np.float32]
    angle: float

    @property
    def digit(self) -> int:
        """The most probable digit."""
        return int(self.probability.argmax())
