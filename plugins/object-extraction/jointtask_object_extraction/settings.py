"""The settings of every component of this plugin; light to import, so that listing them costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from attrs import field, frozen, validators

from jointtask.api import setting

__all__ = [
    "BoxAdjustment",
    "Duts",
    "ImageFolder",
    "Localization",
    "ObjectExtractionData",
    "PublishedData",
    "Segmentation",
    "Selection",
    "SuperpixelBoundary",
    "SyntheticObjects",
    "WholeFrame",
]

_AT_LEAST_0: Any = validators.ge(0)
_AT_LEAST_1: Any = validators.ge(1)


def _multiple_of_32(instance: object, attribute: Any, value: int) -> None:
    if value < 0 or value % 32:
        raise ValueError(f"must be a multiple of 32, got {value}")


def _grows(instance: object, attribute: Any, value: Sequence[float]) -> None:
    if len(value) != 2 or not 0 < value[0] <= value[1]:
        raise ValueError(f"must be two positive factors, the smaller one first, got {list(value)}")


def _span(instance: object, attribute: Any, value: Sequence[float]) -> None:
    if len(value) != 2 or not 0 <= value[0] < value[1] <= 1:
        raise ValueError(f"must be two numbers from 0 to 1, the smaller one first, got {list(value)}")


def _positive(instance: object, attribute: Any, value: Sequence[float]) -> None:
    if any(factor <= 0 for factor in value):
        raise ValueError(f"must be positive, got {list(value)}")


def _help(text: str, **more: Any) -> dict[str, Any]:
    """Metadata: ``path`` marks a path, ``training_only`` a setting that is not read when a trained run is used."""
    return {"help": text, **more}


@frozen(kw_only=True)
class Selection:
    """Which pairs of files are used."""

    ids: str = field(default="", metadata=_help("text file of stems to use, one a line; empty: all", path=True))
    without: str = field(default="", metadata=_help("text file of stems to leave out, one a line", path=True))
    limit: int = field(
        default=0, validator=_AT_LEAST_0, metadata=_help("use this many, chosen by a hash of the id; 0: all")
    )
    part: Sequence[float] = field(
        default=(0.0, 1.0),
        validator=_span,
        metadata=_help("which part of them, in the order of a hash of the id: [0, 0.8] and [0.8, 1] share none"),
    )
    empty: Literal["error", "skip"] = field(default="error", metadata=_help("what to do with a mask without object"))
    max_pixels: int = field(
        default=100_000_000, validator=_AT_LEAST_1, metadata=_help("refuse an image with more pixels than this")
    )


@frozen(kw_only=True)
class ImageFolder(Selection):
    """`image-folder`: a folder of images and a folder of masks."""

    images: str = field(metadata=_help("folder of images, searched in depth", path=True))
    masks: str = field(
        default="", metadata=_help("folder of masks with the images' stems; empty: no annotation", path=True)
    )
    unlabelled: Literal["error", "skip"] = field(
        default="error", metadata=_help("what to do with an image that has no mask")
    )
    encoding: Literal["auto", "grey"] = field(
        default="auto",
        metadata=_help("what mask values mean: decided mask by mask; or the object is where they are 128 and more"),
    )
    box_noise: float = setting(
        0.0,
        "standard deviation of each side of the boxes given, as a share of the box's size; 0: no boxes",
        ge=0,
    )
    wrong_boxes: float = setting(0.0, "share of the boxes given that lie elsewhere; 0: none", ge=0, le=1)
    box_seed: int = setting(0, "seed of the errors of the boxes", ge=0)


@frozen(kw_only=True)
class PublishedData(Selection):
    """A published data set, in the folders that its authors' archives unpack to."""

    root: str = field(metadata=_help("where it was unpacked", path=True))


@frozen(kw_only=True)
class Duts(PublishedData):
    """`duts`: two archives."""

    split: Literal["train", "test"] = field(metadata=_help("DUTS-TR or DUTS-TE"))


@frozen(kw_only=True)
class ObjectExtractionData(PublishedData):
    """`oe`: split by lists."""

    ids: str = field(metadata=_help("train.list, test.list or OD.list of its page, or a list of your own", path=True))


@frozen
class SyntheticObjects:
    """`synthetic-objects`: textured objects on textured grounds, generated."""

    split: Literal["train", "validation", "test"] = field(metadata=_help("splits share no texture region or seed"))
    examples: int = field(default=512, validator=_AT_LEAST_1, metadata=_help("how many"))
    seed: int = field(default=0, validator=_AT_LEAST_0, metadata=_help("of the generator"))


@frozen
class _Network:
    """What both networks are made from."""

    network: Literal["paper", "release", "compact", "compact-mobilenet", "mobilenet"] = field(
        default="compact", metadata=_help("architecture")
    )
    weights: str = field(
        default="",
        metadata=_help(
            "safetensors file or URL with pretrained convolutions; empty: random", path=True, training_only=True
        ),
    )
    sha256: str = field(default="", metadata=_help("of the weights; required for a URL", training_only=True))
    input_size: int = field(
        default=0,
        validator=_multiple_of_32,
        metadata=_help("side of the image that `mobilenet` sees, in pixels, a multiple of 32; 0: its own"),
    )


@frozen
class Localization(_Network):
    """`object-localization`: the box of the salient object."""

    scale: Literal["fixed", "predicted"] = field(
        default="fixed",
        metadata=_help(
            "standard deviation of each side: sqrt(1/2) frame units (Eq. 5), or predicted for each image (by all but"
            " `paper` and `release`)"
        ),
    )


@frozen
class Segmentation(_Network):
    """`object-segmentation`: the mask of the object inside the box."""

    overlap: float = field(
        default=0.0,
        validator=_AT_LEAST_0,
        metadata=_help("weight of the soft Jaccard distance beside the cross entropy, in the M-step alone"),
    )
    depth: int = setting(1, "number of blocks of near and far context at the coarsest maps of `mobilenet`", ge=1)


@frozen
class BoxAdjustment:
    """`box-adjustment`: the four sides of a box, displaced."""

    levels: Sequence[float] = field(
        default=(-10.0, -5.0, 0.0, 5.0, 10.0),
        metadata=_help("displacements of each side, or with `scales` of the centre, in frame units"),
    )
    scales: Sequence[float] = field(
        default=(),
        validator=_positive,
        metadata=_help("factors on width and height, 1 among them: a grid in position and log-scale; empty: of sides"),
    )
    center: Literal["target", "prediction"] = field(
        default="target", metadata=_help("what the E-step adjusts: the annotated box, or the predicted one")
    )
    annotation_scale: float = field(
        default=20.0,
        validator=validators.gt(0),
        metadata=_help("how far a reference's side lies from the annotated one, in frame units, if it is predicted"),
    )
    likelihood: Literal["reference", "frame"] = field(
        default="reference", metadata=_help("pixels that the downstream energy counts: inside the box, or all")
    )
    weigh: Literal["area", "equally"] = field(
        default="area",
        metadata=_help("how the M-step weighs examples under the frame likelihood: by the reference's area, or alike"),
    )
    boxes: Literal["mask", "given"] = setting("mask", "source of the annotated box: the mask, or the data's own box")
    context: float = field(
        default=1.0, validator=validators.ge(1), metadata=_help("factor on the annotated box's sides, about its centre")
    )
    flip: bool = field(default=False, metadata=_help("mirror at random in the M-step"))
    jitter: float = field(
        default=0.0, validator=_AT_LEAST_0, metadata=_help("move the sides at random in the M-step, at most this far")
    )
    zoom: Sequence[float] = field(
        default=(1.0, 1.0),
        validator=_grows,
        metadata=_help("enlarge what the segmentation learns under by a random factor, in the M-step, least and most"),
    )
    colour: float = field(
        default=0.0, validator=_AT_LEAST_0, metadata=_help("change brightness, contrast, saturation by this share")
    )


@frozen
class WholeFrame:
    """`whole-frame`: no reference but the frame."""

    flip: bool = setting(False, "whether the M-step mirrors at random")
    colour: float = setting(0.0, "largest relative change of brightness, contrast and saturation in the M-step", ge=0)


@frozen
class SuperpixelBoundary:
    """`superpixel-boundary`: references whose border runs along superpixel boundaries."""

    points: int = field(default=200, validator=_AT_LEAST_1, metadata=_help("looked at along the border"))
    segments: int = field(default=200, validator=_AT_LEAST_1, metadata=_help("superpixels, about"))
    compactness: float = field(default=10.0, validator=validators.gt(0), metadata=_help("of SLIC"))
    iterations: int = field(
        default=10, validator=_AT_LEAST_1, metadata=_help("of SLIC; 5 find an object's contour as well, in less time")
    )
