"""The hook implementations of object extraction, and nothing else: heavy imports happen inside `build`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jointtask import hookimpl
from jointtask.api import (
    Command,
    Component,
    DatasetComponent,
    NoSettings,
    PanelComponent,
    TrainedComponent,
    TrivialComponent,
    deferred,
)
from jointtask_object_extraction.data.published import published_components
from jointtask_object_extraction.metrics.components import metric_components
from jointtask_object_extraction.settings import (
    BoxAdjustment,
    Boxes,
    Coco,
    ImageFolder,
    ImageShards,
    LabelMe,
    Localization,
    Segmentation,
    SuperpixelBoundary,
    SyntheticObjects,
    Voc,
    WholeFrame,
)

_ANNOTATIONS = "jointtask_object_extraction.data.annotations.dataset"


@hookimpl
def jointtask_tasks() -> Sequence[Component]:
    """Give the two task networks, and what stands in for the first in a control without localization."""
    return [
        Component(
            "object-localization",
            Localization,
            deferred("jointtask_object_extraction.networks.localization:build_localization"),
            "the box of the salient object (Eq. 5)",
        ),
        Component(
            "object-segmentation",
            Segmentation,
            deferred("jointtask_object_extraction.networks.segmentation:build_segmentation"),
            "the object's mask inside a box (Eq. 3)",
        ),
        Component(
            "whole-frame",
            NoSettings,
            deferred("jointtask_object_extraction.bridge.whole_frame:whole_frame_task"),
            "no localization: the frame, whatever the image",
        ),
    ]


@hookimpl
def jointtask_bridges() -> Sequence[Component]:
    """Give the box adjustment, and the bridge of a control without localization."""
    return [
        Component(
            "box-adjustment",
            BoxAdjustment,
            deferred("jointtask_object_extraction.bridge.box:box_adjustment"),
            "the four sides of a box, displaced",
        ),
        Component(
            "whole-frame",
            WholeFrame,
            deferred("jointtask_object_extraction.bridge.whole_frame:whole_frame_bridge"),
            "no reference but the frame",
        ),
    ]


@hookimpl
def jointtask_proposal_terms() -> Sequence[Component]:
    """Give the data-driven proposal term."""
    return [
        Component(
            "superpixel-boundary",
            SuperpixelBoundary,
            deferred("jointtask_object_extraction.bridge.superpixels:superpixel_boundary"),
            "boxes whose border runs along superpixel boundaries (Eq. 8)",
        )
    ]


@hookimpl
def jointtask_datasets() -> Sequence[Component]:
    """Give the data sets."""
    return [
        DatasetComponent(
            "image-folder",
            ImageFolder,
            deferred("jointtask_object_extraction.data.folder:image_folder"),
            "a folder of images and a folder of masks",
            index=deferred("jointtask_object_extraction.data.folder:index_folder"),
        ),
        DatasetComponent(
            "image-shards",
            ImageShards,
            deferred("jointtask_object_extraction.data.shards:image_shards"),
            "images and masks in tar files, as WebDataset writes them",
            index=deferred("jointtask_object_extraction.data.shards:index_shards"),
        ),
        Component(
            "synthetic-objects",
            SyntheticObjects,
            deferred("jointtask_object_extraction.data.synthetic_scenes.dataset:synthetic_objects"),
            "generated scenes; needs no download",
        ),
        Component("coco", Coco, deferred(f"{_ANNOTATIONS}:coco"), "instances of a COCO file: polygons, masks, boxes"),
        Component("labelme", LabelMe, deferred(f"{_ANNOTATIONS}:labelme"), "a folder of labelme's JSON files"),
        Component("voc", Voc, deferred(f"{_ANNOTATIONS}:voc"), "a folder of Pascal VOC's XML files"),
        Component("boxes", Boxes, deferred(f"{_ANNOTATIONS}:boxes"), "a CSV file of boxes, without masks"),
        *published_components(),
    ]


@hookimpl
def jointtask_metrics() -> Sequence[Component]:
    """Give the metrics of salient-object detection."""
    return metric_components()


@hookimpl
def jointtask_predictors() -> Sequence[Component]:
    """Give the model that ships, and the predictors that a trained pair has to beat."""
    return [
        TrainedComponent(
            "shipped",
            NoSettings,
            deferred("jointtask_object_extraction.extract.model:shipped"),
            "the trained model that comes with this plugin",
            directory=Path(__file__).parent / "model",
        ),
        Component(
            "otsu",
            NoSettings,
            deferred("jointtask_object_extraction.predictors:otsu"),
            "Otsu's threshold of the grey image",
        ),
        Component(
            "colour-contrast",
            NoSettings,
            deferred("jointtask_object_extraction.predictors:colour_contrast"),
            "colour distance to the rest of the image",
        ),
        TrivialComponent(
            "mean-mask",
            NoSettings,
            deferred("jointtask_object_extraction.predictors:mean_mask"),
            "the mean training mask, whatever the image",
            bridges=("box-adjustment", "whole-frame"),
        ),
    ]


@hookimpl
def jointtask_panels() -> Sequence[PanelComponent]:
    """Give the pictures of the report."""
    return [
        PanelComponent(
            "object-extraction",
            NoSettings,
            deferred("jointtask_object_extraction.panels:panels"),
            "boxes and masks",
            bridge="box-adjustment",
        ),
        PanelComponent(
            "object-extraction-whole",
            NoSettings,
            deferred("jointtask_object_extraction.panels:panels"),
            "masks",
            bridge="whole-frame",
        ),
    ]


@hookimpl
def jointtask_commands() -> Sequence[Command]:
    """Give the commands of object extraction."""
    return [
        Command(
            "extract",
            "cut objects out of images",
            "jointtask_object_extraction.extract.command:extract",
            use="jointtask extract PHOTOS --to FOLDER --model RUN",
        ),
        Command(
            "finetune",
            "train the shipped model on your own images and masks",
            "jointtask_object_extraction.finetune.command:finetune",
        ),
        Command(
            "export",
            "write a trained run as one ONNX file",
            "jointtask_object_extraction.export.command:export",
        ),
        Command("serve", "serve a page to drop photographs on", "jointtask_object_extraction.serve.command:serve"),
        Command("score", "score masks that any program made", "jointtask_object_extraction.score.command:score"),
    ]
