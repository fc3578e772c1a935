"""The hook implementations of object extraction, and nothing else: heavy imports happen inside `build`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jointtask import hookimpl
from jointtask.component import Command, Component, Context, NoSettings, PanelComponent
from jointtask_object_extraction.metric_components import metric_components
from jointtask_object_extraction.settings import (
    BoxAdjustment,
    ImageFolder,
    Localization,
    Segmentation,
    SuperpixelBoundary,
    SyntheticObjects,
)


def _localization(settings: Localization, context: Context) -> Any:
    from jointtask_object_extraction.localization import build_localization

    return build_localization(settings, context)


def _segmentation(settings: Segmentation, context: Context) -> Any:
    from jointtask_object_extraction.segmentation import build_segmentation

    return build_segmentation(settings, context)


def _box_adjustment(settings: BoxAdjustment, context: Context) -> Any:
    from jointtask_object_extraction.box import box_adjustment

    return box_adjustment(settings, context)


def _superpixel_boundary(settings: SuperpixelBoundary, context: Context) -> Any:
    from jointtask_object_extraction.superpixels import superpixel_boundary

    return superpixel_boundary(settings, context)


def _image_folder(settings: ImageFolder, context: Context) -> Any:
    from jointtask_object_extraction.datasets import image_folder

    return image_folder(settings, context)


def _synthetic_objects(settings: SyntheticObjects, context: Context) -> Any:
    from jointtask_object_extraction.synthetic import synthetic_objects

    return synthetic_objects(settings, context)


def _otsu(settings: NoSettings, context: Context) -> Any:
    from jointtask_object_extraction.predictors import otsu

    return otsu(settings, context)


def _colour_contrast(settings: NoSettings, context: Context) -> Any:
    from jointtask_object_extraction.predictors import colour_contrast

    return colour_contrast(settings, context)


def _mean_mask(settings: NoSettings, context: Context) -> Any:
    from jointtask_object_extraction.predictors import mean_mask

    return mean_mask(settings, context)


def _panels(settings: NoSettings, context: Context) -> Any:
    from jointtask_object_extraction.panels import draw

    return draw


@hookimpl
def jointtask_tasks() -> Sequence[Component]:
    """Give the two task networks."""
    return [
        Component("object-localization", Localization, _localization, "the box of the salient object (Eq. 5)"),
        Component("object-segmentation", Segmentation, _segmentation, "the object's mask inside a box (Eq. 3)"),
    ]


@hookimpl
def jointtask_bridges() -> Sequence[Component]:
    """Give the box adjustment."""
    return [Component("box-adjustment", BoxAdjustment, _box_adjustment, "the four sides of a box, displaced")]


@hookimpl
def jointtask_proposal_terms() -> Sequence[Component]:
    """Give the data-driven proposal term."""
    return [
        Component(
            "superpixel-boundary",
            SuperpixelBoundary,
            _superpixel_boundary,
            "boxes whose border runs along superpixel boundaries (Eq. 8)",
        )
    ]


@hookimpl
def jointtask_datasets() -> Sequence[Component]:
    """Give the data sets."""
    return [
        Component("image-folder", ImageFolder, _image_folder, "a folder of images and a folder of masks"),
        Component("synthetic-objects", SyntheticObjects, _synthetic_objects, "generated scenes; needs no download"),
    ]


@hookimpl
def jointtask_metrics() -> Sequence[Component]:
    """Give the metrics of salient-object detection."""
    return metric_components()


@hookimpl
def jointtask_predictors() -> Sequence[Component]:
    """Give the predictors that a trained pair has to beat."""
    return [
        Component("otsu", NoSettings, _otsu, "Otsu's threshold of the grey image"),
        Component("colour-contrast", NoSettings, _colour_contrast, "colour distance to the rest of the image"),
        Component("mean-mask", NoSettings, _mean_mask, "the mean training mask, whatever the image"),
    ]


@hookimpl
def jointtask_panels() -> Sequence[PanelComponent]:
    """Give the pictures of the report."""
    return [PanelComponent("object-extraction", NoSettings, _panels, "boxes and masks", bridge="box-adjustment")]


@hookimpl
def jointtask_commands() -> Sequence[Command]:
    """Give the command that cuts objects out."""
    return [Command("extract", "cut objects out of images", "jointtask_object_extraction.extract:extract")]
