"""What every bridge must hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from jointtask.api.bridge import (
    Augmented,
    Bridge,
    CentredBridge,
    Condition,
    CoveringBridge,
    MirroringBridge,
    PartialBridge,
    RelocatingBridge,
    WholeBridge,
)
from jointtask.api.grid import LatentGrid
from jointtask.api.randomness import Streams
from jointtask.api.task import Batch
from jointtask.api.tree import leaves, select_rows
from jointtask.testing.devices import check_device
from jointtask.testing.expect import attributes, reads_no_annotation, same_rows, unchanged

__all__ = ["check_bridge"]


def check_bridge(
    bridge: Bridge,
    batch: Batch,
    downstream: Any,
    *,
    example: Any = None,
    perfect: Callable[[Any], Any] | None = None,
    truth: str = "",
    tolerance: float = 0.1,
) -> None:
    """Hold a bridge to `jointtask.api.bridge.Bridge`, and to the optional parts that it has.

    Parameters
    ----------
    bridge : Bridge
        Bridge to be checked.
    batch : Batch
        B annotated examples, at least two.
    downstream : torch.nn.Module
        Downstream task that the bridge can be used with, in evaluation mode.
    example : Any, optional
        The first example of the batch as `Dataset.example` gives it: `finish` is called with it.
    perfect : callable, optional
        Function from the target of `condition` to the prediction of a downstream task that is always right: what
        `restore` makes of it is compared with ``batch[truth]``, inside the base reference of each example.
    truth : str, optional
        The annotation that `restore` should give back; needs `perfect`. Of class labels that are integers, leave both
        out, or name a one-hot annotation of the batch.
    tolerance : float
        Largest mean absolute difference of the two.

    Raises
    ------
    AssertionError
        If a part is missing, a shape is wrong, a row depends on the others, rows are not ordered example by example,
        the base is not usable, `admit` leaves a reference unusable or moves one that was usable, no adjustment moves
        the centre, a tensor leaves the batch's device, a probability leaves [0, 1], `restore` after `condition` does
        not give the annotation back, an example that lacks an annotation has no usable base, or the batch is changed.
    """
    attributes(bridge, "the bridge", Bridge)
    assert isinstance(bridge.grid, LatentGrid), f"grid is a {type(bridge.grid).__name__}; expected a LatentGrid"
    missing = [key for key in (*bridge.keys, *bridge.annotation) if key not in batch]
    assert not missing, (
        f"the batch has no {', '.join(missing)}, which the bridge's keys name; it has {', '.join(batch)}"
    )
    extra = set(bridge.annotation) - set(bridge.keys)
    assert not extra, f"annotation names {', '.join(sorted(extra))}, which keys does not; expected some of the keys"
    size, dimensions = len(batch[bridge.keys[0]]), bridge.grid.dimensions
    assert size >= 2, f"give at least two examples, got {size}"
    assert len(bridge.coordinates) == dimensions, (
        f"coordinates has {len(bridge.coordinates)} names; expected one for each of the {dimensions} of the grid"
    )
    with unchanged("the batch", batch):
        base = _base(bridge, batch, size)
        with unchanged("the batch given to condition", batch):
            bridge.condition(batch, base[:, None])
        reference = _references(bridge, base)
        _condition(bridge, batch, reference)
        _restore(bridge, batch, reference, downstream)
        check_device(bridge, batch, downstream)
        if perfect is not None:
            _round_trip(bridge, batch, base, perfect, truth, tolerance)
        if example is not None:
            condition = bridge.condition(batch, base[:, None])
            with torch.inference_mode():
                frame = bridge.restore(downstream(condition.input), base[:, None])[0, 0]
            bridge.finish(frame, base[0], example)
        _augment(bridge, batch, base)
        _optional(bridge, batch, base, downstream)


def _base(bridge: Bridge, batch: Batch, size: int) -> Tensor:
    base = bridge.base(batch)
    expected = (size, bridge.grid.dimensions)
    assert base.shape == expected, f"base has the shape {tuple(base.shape)}; expected (B, D), {expected}"
    assert base.dtype == torch.float32, f"base is {base.dtype}; expected float32"
    bad = (~torch.isfinite(base)).any(dim=1).nonzero().flatten().tolist()
    assert not bad, f"the base reference of the examples {bad} is not finite; expected finite coordinates"
    rows = (~bridge.usable(base)).nonzero().flatten().tolist()
    assert not rows, f"a base reference is not usable: {base[rows[0]].tolist()}, example {rows[0]}; expected it to be"
    same_rows(base, slice(1, 2), bridge.base(select_rows(batch, slice(1, 2))), "base depends on the other examples")
    return base


def _references(bridge: Bridge, base: Tensor) -> Tensor:
    """Check adjustments and what makes references usable; return a few usable ones, (B, K, D)."""
    size, dimensions = base.shape
    states = bridge.grid.states.to(base)
    every = bridge.reference(base, states)
    expected = (size, len(states), dimensions)
    assert every.shape == expected, f"reference does not give (B, K, D), {expected}: got {tuple(every.shape)}"
    start = every[:, bridge.grid.start]
    assert torch.allclose(start, base, rtol=1e-5, atol=1e-4), (
        "no adjustment does not leave the centre as it is; expected reference(c, 0) = c"
    )
    own = bridge.reference(base, states.expand(size, -1, -1))
    assert torch.equal(own, every), "reference differs between states (K, D) and the same states as (B, K, D)"
    usable = bridge.usable(every)
    assert usable.dtype == torch.bool, f"usable gave {usable.dtype}; expected torch.bool"
    assert usable.shape == every.shape[:-1], f"usable has the shape {tuple(usable.shape)}; expected one for each"
    kept = bridge.admit(every)
    assert bool(bridge.usable(kept).all()), "admit gives an unusable reference; expected the nearest usable one"
    inside = bridge.admit(base)
    assert torch.allclose(inside, base, atol=1e-3), "admit moves a base reference; expected usable ones to be kept"
    wild = base + 1000 * torch.randn(base.shape, generator=torch.Generator().manual_seed(0)).to(base)
    assert bool(bridge.usable(bridge.admit(wild)).all()), "admit gives an unusable reference for a far prediction"
    few = torch.linspace(0, len(states) - 1, min(3, len(states))).long()
    return kept[:, few]


def _condition(bridge: Bridge, batch: Batch, reference: Tensor) -> None:
    size, count, _ = reference.shape
    both = bridge.condition(batch, reference)
    assert isinstance(both, Condition), f"condition gives a {type(both).__name__}; expected a Condition"
    for name, tree in (("input", both.input), ("target", both.target)):
        for leaf in leaves(tree):
            assert len(leaf) == size * count, (
                f"condition gives {len(leaf)} rows of {name}; expected B * K, {size} * {count} = {size * count}"
            )
    alone = bridge.condition(select_rows(batch, slice(1, 2)), reference[1:2])
    rows = slice(count, 2 * count)
    same_rows(both.input, rows, alone.input, "row b * K + k of condition is not example b under reference k")
    assert both.target is not None, "condition gives no target for an annotated batch"
    same_rows(both.target, rows, alone.target, "row b * K + k of condition's target is not example b under reference k")
    bare = {name: tensor for name, tensor in batch.items() if name not in bridge.annotation}
    with reads_no_annotation(bridge, "condition"):
        unannotated = bridge.condition(bare, reference)
    assert unannotated.target is None, "condition gives a target without an annotation; expected None"
    same_rows(both.input, slice(None), unannotated.input, "condition's input depends on the annotation")


def _restore(bridge: Bridge, batch: Batch, reference: Tensor, downstream: Any) -> None:
    size, count, _ = reference.shape
    with torch.inference_mode():
        prediction = downstream(bridge.condition(batch, reference).input)
        restored = bridge.restore(prediction, reference)
        alone = bridge.restore(select_rows(prediction, slice(count, 2 * count)), reference[1:2])
    assert restored.shape[:2] == (size, count), (
        f"restore does not give (B, K, ...), {(size, count)}: got {tuple(restored.shape)}"
    )
    low, high = float(restored.min()), float(restored.max())
    assert 0 <= low <= high <= 1, f"restore leaves [0, 1]: from {low:.3g} to {high:.3g}; expected probabilities"
    same_rows(restored, slice(1, 2), alone, "what restore gives for an example depends on the others")


def _round_trip(
    bridge: Bridge, batch: Batch, base: Tensor, perfect: Callable[[Any], Any], truth: str, tolerance: float
) -> None:
    reference = base[:, None]
    restored = bridge.restore(perfect(bridge.condition(batch, reference).target), reference)[:, 0]
    expected = batch[truth].to(restored)
    assert restored.shape == expected.shape, (
        f"restore gives {tuple(restored.shape)} a frame; expected that of '{truth}', {tuple(expected.shape)}"
    )
    away = float((restored - expected).abs().mean())
    assert away <= tolerance, (
        f"restore after condition is {away:.3f} away from '{truth}' on average; expected at most {tolerance}"
    )


def _augment(bridge: Bridge, batch: Batch, base: Tensor) -> None:
    def augment() -> Any:
        return bridge.augment(batch, base[:, None], Streams(0, 1, [str(row) for row in range(len(base))], "augment"))

    with unchanged("the batch given to augment", (batch, base)):
        augmented, again = augment(), augment()
    assert isinstance(augmented, Augmented), f"augment gives a {type(augmented).__name__}; expected an Augmented"
    missing = set(batch) - set(augmented.batch)
    assert not missing, f"augment drops {', '.join(sorted(missing))} from the batch; expected all of its names"
    for name in ("reference", "conditioned"):
        shape = tuple(getattr(augmented, name).shape)
        assert shape == tuple(base[:, None].shape), f"augment gives '{name}' of {shape}; expected (B, K, D)"
    same_rows(augmented, slice(None), again, "augment with the same streams gave something else; expected the same", 0)


def _optional(bridge: Bridge, batch: Batch, base: Tensor, downstream: Any) -> None:
    if isinstance(bridge, CentredBridge):
        scale = bridge.annotation_scale
        assert scale is None or scale > 0, f"annotation_scale is {scale}; expected None or a number above 0"
    if isinstance(bridge, CoveringBridge):
        reference = _references(bridge, base)
        with torch.inference_mode():
            restored = bridge.restore(downstream(bridge.condition(batch, reference).input), reference)
        covers = bridge.covers(reference)
        assert covers.dtype == torch.bool, f"covers gave {covers.dtype}; expected torch.bool"
        assert covers.shape == restored.shape, (
            f"covers has the shape {tuple(covers.shape)}; expected that of restore, {tuple(restored.shape)}"
        )
        outside = restored[~covers]
        assert not bool((outside != 0).any()), "restore is not 0 at places that covers leaves out"
    if isinstance(bridge, RelocatingBridge):
        with torch.inference_mode():
            frame = bridge.restore(downstream(bridge.condition(batch, base[:, None]).input), base[:, None])[:, 0]
            relocated = bridge.relocate(frame, base)
            nothing = bridge.relocate(torch.zeros_like(frame), base)
        assert relocated.shape == base.shape, (
            f"relocate has the shape {tuple(relocated.shape)}; expected {tuple(base.shape)}"
        )
        assert bool(bridge.usable(relocated).all()), "relocate gives an unusable reference"
        assert bool(torch.isfinite(nothing).all()), "relocate is not finite for predictions that imply no reference"
    if isinstance(bridge, WholeBridge):
        whole = bridge.whole(batch)
        assert whole.shape == base.shape, f"whole has the shape {tuple(whole.shape)}; expected {tuple(base.shape)}"
        assert bool(bridge.usable(whole).all()), "whole gives an unusable reference"
    if isinstance(bridge, MirroringBridge):
        _mirroring(bridge, batch, base, downstream)
    if isinstance(bridge, PartialBridge):
        _partial(bridge, batch, base)


def _mirroring(bridge: Any, batch: Batch, base: Tensor, downstream: Any) -> None:
    seen = bridge.condition(batch, base[:, None]).input
    with torch.inference_mode():
        predicted = downstream(seen)
    for what, maps in (("inputs", seen), ("predictions", predicted)):
        again = bridge.mirror(bridge.mirror(maps))
        assert torch.equal(again, maps), f"downstream {what} mirrored twice are other ones; expected the same"


def _partial(bridge: Any, batch: Batch, base: Tensor) -> None:
    assert len(bridge.present) == 2, f"present has {len(bridge.present)} names; expected two, upstream and downstream"
    for name in filter(None, bridge.present):
        assert name not in bridge.keys, f"present names '{name}', which keys names; a batch without it lacks nothing"
        flags = batch.get(name, torch.ones(len(base), dtype=torch.bool, device=base.device))
        assert flags.dtype == torch.bool, f"'{name}' of the batch is {flags.dtype}; expected torch.bool"
        assert flags.shape == (len(base),), f"'{name}' of the batch is {tuple(flags.shape)}; expected (B,)"
        lacking = {**batch, name: torch.zeros_like(flags)}
        reference = bridge.base(lacking)
        usable = bool(bridge.usable(reference).all())
        assert usable, f"the base reference of an example is not usable where '{name}' is false; expected it to be"
        for leaf in leaves(bridge.condition(lacking, reference[:, None])):
            finite = not leaf.is_floating_point() or bool(torch.isfinite(leaf).all())
            assert finite, f"condition is not finite where '{name}' is false; expected any finite target"
