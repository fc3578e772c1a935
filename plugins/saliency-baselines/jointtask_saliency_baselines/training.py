"""What the rivals that learn take from the training data."""

from __future__ import annotations

import numpy as np
from jointtask_object_extraction.predictors import training_data
from numpy.typing import NDArray

from jointtask.api import Context, Dataset

__all__ = ["evenly", "training_sample"]


def training_sample(context: Context, name: str, most: int) -> tuple[Dataset, NDArray[np.intp]]:
    """Return the training data, and the positions of at most so many examples, evenly spaced.

    Parameters
    ----------
    context : Context
        Context that the predictor is built with.
    name : str
        Name of the predictor, for the error.
    most : int
        Largest number of examples.

    Raises
    ------
    ConfigError
        If there is no training data to learn from, or it has no masks.
    """
    train = training_data(context, name)
    return train, evenly(np.arange(len(train)), most)


def evenly(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Return at most so many of the rows, evenly spaced, the first and the last among them."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(np.intp)]
