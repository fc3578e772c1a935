"""The hook implementations of digit reading, and nothing else: heavy imports happen inside `build`."""

from __future__ import annotations

from collections.abc import Sequence

from jointtask import hookimpl
from jointtask.api import Component, NoSettings, PanelComponent, TrivialComponent, deferred
from jointtask_digit_reading.settings import AngleAdjustment, Orientation, Reader, RotatedDigits


@hookimpl
def jointtask_tasks() -> Sequence[Component]:
    """Give the two task networks."""
    return [
        Component(
            "digit-orientation",
            Orientation,
            deferred("jointtask_digit_reading.networks:digit_orientation"),
            "by how much the digit in the middle is rotated, with a von Mises energy",
        ),
        Component(
            "digit-reader",
            Reader,
            deferred("jointtask_digit_reading.networks:digit_reader"),
            "which digit it is, once it is turned upright",
        ),
    ]


@hookimpl
def jointtask_bridges() -> Sequence[Component]:
    """Give the angle adjustment."""
    return [
        Component(
            "angle-adjustment",
            AngleAdjustment,
            deferred("jointtask_digit_reading.rotation:angle_adjustment"),
            "the angle of a rotation, displaced on its ring",
        )
    ]


@hookimpl
def jointtask_datasets() -> Sequence[Component]:
    """Give the data set."""
    return [
        Component(
            "rotated-digits",
            RotatedDigits,
            deferred("jointtask_digit_reading.dataset:rotated_digits"),
            "handwritten digits, rotated and set among clutter; needs no download",
        )
    ]


@hookimpl
def jointtask_metrics() -> Sequence[Component]:
    """Give the metrics."""
    return [
        Component(
            "digit-accuracy",
            NoSettings,
            deferred("jointtask_digit_reading.metrics:accuracy"),
            "share of digits read right",
        ),
        Component(
            "angle-error",
            NoSettings,
            deferred("jointtask_digit_reading.metrics:angle_error"),
            "how far the predicted angle is off",
        ),
    ]


@hookimpl
def jointtask_predictors() -> Sequence[Component]:
    """Give the predictors that a trained pair has to beat."""
    return [
        Component(
            "mean-digits",
            NoSettings,
            deferred("jointtask_digit_reading.predictors:mean_digits"),
            "the mean training digit and the angle that correlate best",
        ),
        TrivialComponent(
            "commonest-digit",
            NoSettings,
            deferred("jointtask_digit_reading.predictors:commonest_digit"),
            "how often each digit is annotated, and the mean angle, whatever the image",
            bridges=("angle-adjustment",),
        ),
    ]


@hookimpl
def jointtask_panels() -> Sequence[PanelComponent]:
    """Give the pictures of the report."""
    return [
        PanelComponent(
            "digit-reading",
            NoSettings,
            deferred("jointtask_digit_reading.panels:panels"),
            "digits with their angles, as found and turned upright",
            bridge="angle-adjustment",
        )
    ]
