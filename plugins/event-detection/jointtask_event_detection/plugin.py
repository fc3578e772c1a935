"""The hook implementations of event detection, and nothing else: heavy imports happen inside `build`."""

from __future__ import annotations

from collections.abc import Sequence

from jointtask import hookimpl
from jointtask.api import Component, NoSettings, PanelComponent, TrivialComponent, deferred
from jointtask_event_detection.settings import ChangePoints, Heartbeats, IntervalAdjustment, Labelling, Localization


@hookimpl
def jointtask_tasks() -> Sequence[Component]:
    """Give the two task networks."""
    return [
        Component(
            "event-localization",
            Localization,
            deferred("jointtask_event_detection.networks:event_localization"),
            "from when to when the event lasts, a Gaussian for each end",
        ),
        Component(
            "event-labelling",
            Labelling,
            deferred("jointtask_event_detection.networks:event_labelling"),
            "which samples inside the reference belong to the event",
        ),
    ]


@hookimpl
def jointtask_bridges() -> Sequence[Component]:
    """Give the interval adjustment."""
    return [
        Component(
            "interval-adjustment",
            IntervalAdjustment,
            deferred("jointtask_event_detection.interval:interval_adjustment"),
            "both ends of an interval, displaced",
        )
    ]


@hookimpl
def jointtask_proposal_terms() -> Sequence[Component]:
    """Give the data-driven proposal term."""
    return [
        Component(
            "change-points",
            ChangePoints,
            deferred("jointtask_event_detection.change_points:change_points"),
            "intervals whose ends lie where the recording changes",
        )
    ]


@hookimpl
def jointtask_datasets() -> Sequence[Component]:
    """Give the data set."""
    return [
        Component(
            "heartbeats",
            Heartbeats,
            deferred("jointtask_event_detection.dataset:heartbeats"),
            "generated recordings with a run of abnormal beats; needs no download",
        )
    ]


@hookimpl
def jointtask_metrics() -> Sequence[Component]:
    """Give the metrics."""
    return [
        Component(
            "sample-f1",
            NoSettings,
            deferred("jointtask_event_detection.metrics:sample_f1"),
            "F1 over the samples of a recording",
        ),
        Component(
            "interval-iou",
            NoSettings,
            deferred("jointtask_event_detection.metrics:interval_iou"),
            "intersection over union of the intervals",
        ),
    ]


@hookimpl
def jointtask_predictors() -> Sequence[Component]:
    """Give the predictors that a trained pair has to beat."""
    return [
        Component(
            "movement",
            NoSettings,
            deferred("jointtask_event_detection.predictors:movement"),
            "the longest stretch with a steep smoothed slope",
        ),
        TrivialComponent(
            "mean-interval",
            NoSettings,
            deferred("jointtask_event_detection.predictors:mean_interval"),
            "the mean training interval, whatever the recording",
            bridges=("interval-adjustment",),
        ),
    ]


@hookimpl
def jointtask_panels() -> Sequence[PanelComponent]:
    """Give the pictures of the report."""
    return [
        PanelComponent(
            "event-detection",
            NoSettings,
            deferred("jointtask_event_detection.panels:panels"),
            "recordings with their intervals and labels",
            bridge="interval-adjustment",
        )
    ]
