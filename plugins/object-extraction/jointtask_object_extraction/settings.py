"""The settings of every component of this plugin; light to import, so that listing them costs nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from attrs import frozen

from jointtask.api import setting

__all__ = [
    "AnnotatedData",
    "BoxAdjustment",
    "Boxes",
    "Coco",
    "Duts",
    "ImageFolder",
    "ImageShards",
    "LabelMe",
    "Localization",
    "ObjectExtractionData",
    "PublishedData",
    "Segmentation",
    "Selection",
    "SuperpixelBoundary",
    "SyntheticObjects",
    "Voc",
    "WholeFrame",
]


def _digest(instance: object, attribute: Any, value: str) -> None:
    if value and not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise ValueError(f"must be 64 hexadecimal digits, got '{value[:80]}'")


def _multiple_of_32(instance: object, attribute: Any, value: int) -> None:
    if not 0 <= value <= 4096 or value % 32:
        raise ValueError(f"must be a multiple of 32, at most 4096, got {value}")


def _grows(instance: object, attribute: Any, value: Sequence[float]) -> None:
    if len(value) != 2 or not 0 < value[0] <= value[1]:
        raise ValueError(f"must be two positive factors, the smaller one first, got {list(value)}")


def _span(instance: object, attribute: Any, value: Sequence[float]) -> None:
    if len(value) != 2 or not 0 <= value[0] < value[1] <= 1:
        raise ValueError(f"must be two numbers from 0 to 1, the smaller one first, got {list(value)}")


def _positive(instance: object, attribute: Any, value: Sequence[float]) -> None:
    if any(factor <= 0 for factor in value):
        raise ValueError(f"must be positive, got {list(value)}")


def _endings(instance: object, attribute: Any, value: Sequence[str]) -> None:
    if not value or any(ending != ending.lower() or not ending for ending in value):
        raise ValueError(f"must be one or more endings in lower case, got {list(value)}")


@frozen(kw_only=True)
class Selection:
    """Which pairs of files are used."""

    ids: str = setting("", "text file of stems to use, one a line; empty: all", path=True)
    without: str = setting("", "text file of stems to leave out, one a line", path=True)
    limit: int = setting(0, "number of examples, chosen by a hash of the id; 0: all", ge=0)
    part: Sequence[float] = setting(
        (0.0, 1.0), "part of them, in the order of a hash of the id: [0, 0.8] and [0.8, 1] share none", validator=_span
    )
    empty: Literal["error", "skip"] = setting("error", "treatment of a mask without object")
    max_pixels: int = setting(100_000_000, "largest number of pixels of an image; a larger one is refused", ge=1)


@frozen(kw_only=True)
class ImageFolder(Selection):
    """`image-folder`: a folder of images and a folder of masks."""

    images: str = setting(help="folder of images, searched in depth", path=True)
    masks: str = setting("", "folder of masks with the images' stems; empty: no annotation", path=True)
    unlabelled: Literal["error", "skip"] = setting("error", "treatment of an image that has no mask")
    encoding: Literal["auto", "grey"] = setting(
        "auto", "meaning of mask values: decided mask by mask; or the object where they are 128 and more"
    )
    box_noise: float = setting(
        0.0,
        "standard deviation of each side of the boxes given, as a share of the box's size; 0: no boxes",
        ge=0,
    )
    wrong_boxes: float = setting(0.0, "share of the boxes given that lie elsewhere; 0: none", ge=0, le=1)
    box_seed: int = setting(0, "seed of the errors of the boxes", ge=0)


@frozen(kw_only=True)
class ImageShards:
    """`image-shards`: images and masks in tar files, as WebDataset writes them."""

    shards: str = setting(help="folder of tar files (.tar), or a pattern of their names with *", path=True)
    image: Sequence[str] = setting(
        ("jpg", "jpeg", "png", "webp"), "what the name of an image has after its first dot", validator=_endings
    )
    mask: str = setting("mask.png", "what the name of a mask has after its first dot; empty: no annotation")
    encoding: Literal["auto", "grey"] = setting(
        "auto", "meaning of mask values: decided mask by mask; or the object where they are 128 and more"
    )
    empty: Literal["error", "skip"] = setting("error", "treatment of a mask without object")
    max_pixels: int = setting(100_000_000, "largest number of pixels of an image; a larger one is refused", ge=1)


@frozen(kw_only=True)
class PublishedData(Selection):
    """A published data set, in the folders that its authors' archives unpack to."""

    root: str = setting(help="folder that it was unpacked to", path=True)


@frozen(kw_only=True)
class Duts(PublishedData):
    """`duts`: two archives."""

    split: Literal["train", "test"] = setting(help="part of the data set: DUTS-TR or DUTS-TE")


@frozen(kw_only=True)
class ObjectExtractionData(PublishedData):
    """`oe`: split by lists."""

    ids: str = setting(help="train.list, test.list or OD.list of its page, or a list of your own", path=True)


@frozen(kw_only=True)
class AnnotatedData(Selection):
    """Images with annotation files, one object of each image."""

    images: str = setting(help="folder of images, searched in depth", path=True)
    object: Literal["largest", "only"] = setting(
        "largest", "object of an image with several: the largest, or none of such an image"
    )


@frozen(kw_only=True)
class Coco(AnnotatedData):
    """`coco`: the instances of a COCO file."""

    annotations: str = setting(help="JSON file of instances", path=True)
    categories: Sequence[str] = setting((), "names of the categories that are objects; empty: all")


@frozen(kw_only=True)
class LabelMe(AnnotatedData):
    """`labelme`: a folder of its JSON files."""

    annotations: str = setting(help="folder of JSON files with the images' stems", path=True)
    labels: Sequence[str] = setting((), "labels that are objects; empty: all")


@frozen(kw_only=True)
class Voc(AnnotatedData):
    """`voc`: a folder of Pascal VOC's XML files."""

    annotations: str = setting(help="folder of XML files with the images' stems", path=True)
    masks: str = setting("", "folder of maps of objects (SegmentationObject); empty: boxes alone", path=True)
    labels: Sequence[str] = setting((), "names that are objects; empty: all")


@frozen(kw_only=True)
class Boxes(AnnotatedData):
    """`boxes`: a CSV file of boxes."""

    boxes: str = setting(help="CSV file: id, x1, y1, x2, y2 in pixels, half-open", path=True)


@frozen
class SyntheticObjects:
    """`synthetic-objects`: textured objects on textured grounds, generated."""

    split: Literal["train", "validation", "test"] = setting(
        help="part of the data; parts share no texture region and no seed"
    )
    examples: int = setting(512, "number of examples", ge=1, le=10_000_000)
    seed: int = setting(0, "seed of the generator", ge=0)


@frozen
class _Network:
    """What both networks are made from."""

    network: Literal[
        "paper", "release", "compact", "compact-mobilenet", "mobilenet", "efficientnet-lite0", "efficientnet-lite2"
    ] = setting("compact", "architecture of the network")
    weights: str = setting(
        "", "safetensors file or URL with pretrained convolutions; empty: random", path=True, training_only=True
    )
    sha256: str = setting("", "sha256 of the weights, required for a URL", training_only=True, validator=_digest)
    input_size: int = setting(
        0,
        "side of the image, in pixels, a multiple of 32, of networks on a pretrained encoder; 0: their own",
        validator=_multiple_of_32,
    )


@frozen
class Localization(_Network):
    """`object-localization`: the box of the salient object."""

    scale: Literal["fixed", "predicted"] = setting(
        "fixed",
        "standard deviation of each side: sqrt(1/2) units (Eq. 5), or predicted (not by `paper` and `release`)",
    )


@frozen
class Segmentation(_Network):
    """`object-segmentation`: the mask of the object inside the box."""

    overlap: float = setting(
        0.0, "weight of the soft Jaccard distance beside the cross entropy, in the M-step alone", ge=0
    )
    depth: int = setting(
        1,
        "number of blocks of near and far context at the coarsest maps, of networks on a pretrained encoder",
        ge=1,
        le=64,
    )


@frozen
class BoxAdjustment:
    """`box-adjustment`: the four sides of a box, displaced."""

    levels: Sequence[float] = setting(
        (-10.0, -5.0, 0.0, 5.0, 10.0), "displacements of each side, or with `scales` of the centre, in frame units"
    )
    scales: Sequence[float] = setting(
        (),
        "factors on width and height, 1 among them: a grid in position and log-scale; empty: of sides",
        validator=_positive,
    )
    center: Literal["target", "prediction"] = setting(
        "target", "box that the E-step adjusts: the annotated one, or the predicted one"
    )
    annotation_scale: float = setting(
        20.0,
        "standard deviation of a reference's side about the annotated one, where the prediction is adjusted",
        gt=0,
    )
    likelihood: Literal["reference", "frame"] = setting(
        "reference", "pixels that the downstream energy counts: inside the box, or all"
    )
    weigh: Literal["area", "equally"] = setting(
        "area",
        "weight of an example in the M-step under the frame likelihood: the reference's area, or the same for all",
    )
    boxes: Literal["mask", "given"] = setting("mask", "source of the annotated box: the mask, or the data's own box")
    context: float = setting(1.0, "factor on the annotated box's sides, about its centre", ge=1)
    flip: bool = setting(False, "whether examples are mirrored at random in the M-step")
    jitter: float = setting(0.0, "largest random displacement of a side in the M-step, in frame units", ge=0)
    zoom: Sequence[float] = setting(
        (1.0, 1.0),
        "smallest and largest random factor on the boxes that the segmentation learns under, in the M-step",
        validator=_grows,
    )
    colour: float = setting(0.0, "largest relative change of brightness, contrast and saturation, in the M-step", ge=0)


@frozen
class WholeFrame:
    """`whole-frame`: no reference but the frame."""

    flip: bool = setting(False, "whether the M-step mirrors at random")
    colour: float = setting(0.0, "largest relative change of brightness, contrast and saturation in the M-step", ge=0)


@frozen
class SuperpixelBoundary:
    """`superpixel-boundary`: references whose border runs along superpixel boundaries."""

    points: int = setting(200, "number of points along the border of a box", ge=1, le=10_000)
    segments: int = setting(200, "approximate number of superpixels", ge=1, le=50_000)
    compactness: float = setting(10.0, "compactness of SLIC", gt=0)
    iterations: int = setting(10, "iterations of SLIC; 5 find an object's contour as well, in less time", ge=1, le=1000)
