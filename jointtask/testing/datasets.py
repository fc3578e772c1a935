"""What every data set must hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from jointtask.api.bridge import Bridge
from jointtask.api.dataset import Dataset
from jointtask.testing.expect import attributes, equal, same_rows

__all__ = ["check_dataset"]

SPREAD, BATCH = 32, 8
"""Number of examples that are read from the whole data set, and of those in a batch."""

_HEXADECIMAL = re.compile(r"[0-9a-f]{8,}")


def check_dataset(dataset: Dataset, bridge: Bridge | None = None, *, again: Dataset | None = None) -> None:
    """Hold a data set to `jointtask.api.dataset.Dataset`.

    Parameters
    ----------
    dataset : Dataset
        Data set of at least two examples; the first few are looked at.
    bridge : Bridge, optional
        Bridge that the data set is meant for, whose `keys` each batch must have.
    again : Dataset, optional
        Data set built a second time from the same data: ids, digests and fingerprint must agree, or no run could be
        continued.

    Raises
    ------
    AssertionError
        If a part is missing, ids are not distinct, digests do not tell contents apart, a batch is not B first in the
        order asked for, on the CPU, the same each time and independent of what is done to it, `example` has another
        id, or a key that the bridge needs is missing, in the first batch or in one from another part of the data.
    """
    attributes(dataset, "the data set", Dataset)
    size = len(dataset)
    assert size >= 2, f"the data set has {size} examples; give one of at least two"
    _names(dataset, size)
    few = list(range(min(4, size)))
    batch = dataset.batch(few)
    _batch(batch, len(few))
    if bridge is not None:
        missing = [key for key in bridge.keys if key not in batch]
        assert not missing, (
            f"a batch has no {', '.join(missing)}, which the bridge needs; it has {', '.join(batch)},"
            f" expected {', '.join(bridge.keys)}"
        )
    kept = {name: tensor.clone() for name, tensor in batch.items()}
    for tensor in batch.values():
        tensor.zero_()
    assert equal(kept, dataset.batch(few)), (
        "the same batch is something else the second time; expected the same, and a copy: the first was set to zero"
    )
    same_rows(kept, slice(1, 2), dataset.batch([1]), "a batch of one is not that row of a larger batch", 0)
    turned = {name: tensor.flip(0) for name, tensor in kept.items()}
    assert equal(turned, dataset.batch(few[::-1])), (
        "a batch is not in the order of its index; expected row b for index b"
    )
    _digests(dataset, kept, few)
    for row in few:
        found = getattr(dataset.example(row), "id", None)
        assert found == dataset.ids[row], f"example({row}) has the id {found!r}; expected {dataset.ids[row]!r}"
    _throughout(dataset, kept if bridge is None else {key: kept[key] for key in bridge.keys})
    if again is not None:
        for attribute in ("ids", "digests", "fingerprint"):
            one, two = getattr(dataset, attribute), getattr(again, attribute)
            same = one == two if isinstance(one, str) else list(one) == list(two)
            assert same, f"{attribute} differs when the data set is built again; expected the same for the same data"


def _names(dataset: Dataset, size: int) -> None:
    for attribute in ("ids", "digests"):
        texts: Sequence[str] = getattr(dataset, attribute)
        assert len(texts) == size, f"{attribute} has {len(texts)} entries; expected one for each of {size} examples"
        strange = [value for value in texts if not isinstance(value, str)]
        assert not strange, f"{attribute} holds {strange[0]!r}; expected strings"
    twice = [name for name, count in Counter(dataset.ids).items() if count > 1]
    assert not twice, f"ids are not distinct: {', '.join(twice[:5])}; expected one name an example"
    for digest in (*dataset.digests, dataset.fingerprint):
        assert isinstance(digest, str), f"a digest or the fingerprint is {digest!r}; expected a hexadecimal string"
        assert _HEXADECIMAL.fullmatch(digest), f"{digest!r} is no hexadecimal digest; expected hashlib's hexdigest()"
    assert not isinstance(dataset.notes, str), "notes is one string; expected a sequence of lines"


def _batch(batch: dict[str, Tensor], size: int) -> None:
    assert isinstance(batch, dict), f"batch gave a {type(batch).__name__}; expected a dict of tensors by name"
    for name, tensor in batch.items():
        assert isinstance(tensor, Tensor), f"'{name}' of a batch is a {type(tensor).__name__}; expected a tensor"
        assert tensor.device.type == "cpu", f"'{name}' of a batch is on {tensor.device}; expected the CPU"
        shape = tuple(tensor.shape)
        assert shape[:1] == (size,), f"'{name}' of a batch has the shape {shape}; expected ({size}, ...), B first"
        assert not tensor.requires_grad, f"'{name}' of a batch requires gradients; expected plain data"
        finite = not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
        assert finite, f"'{name}' of a batch is not finite; expected finite numbers"


def _throughout(dataset: Dataset, first: dict[str, Tensor]) -> None:
    """Read batches from the whole data set, the last example among them; they must be as the first one."""
    last = len(dataset) - 1
    spread = sorted({round(last * step / (SPREAD - 1)) for step in range(SPREAD)})
    for start in range(0, len(spread), BATCH):
        rows = spread[start : start + BATCH]
        batch = dataset.batch(rows)
        _batch(batch, len(rows))
        where = f"the batch of {', '.join(dataset.ids[row] for row in rows)}"
        missing = [key for key in first if key not in batch]
        assert not missing, (
            f"{where} has no {', '.join(missing)}, as that of the first examples has; expected it in each"
        )
        for key, tensor in first.items():
            kind, other = (tuple(tensor.shape[1:]), tensor.dtype), (tuple(batch[key].shape[1:]), batch[key].dtype)
            assert kind == other, (
                f"'{key}' in {where} is {other[0]}, {other[1]}; expected {kind[0]}, {kind[1]}, as before"
            )


def _digests(dataset: Dataset, batch: dict[str, Tensor], few: Sequence[int]) -> None:
    for row in few[1:]:
        same = all(torch.equal(tensor[0], tensor[row]) for tensor in batch.values())
        if not same and dataset.digests[row] == dataset.digests[0]:
            raise AssertionError(
                f"{dataset.ids[0]} and {dataset.ids[row]} differ and have one digest; expected different digests, as"
                " what is cached of one would be taken for the other"
            )
