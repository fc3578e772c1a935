"""The data sets `coco`, `labelme`, `voc` and `boxes`: images with annotation files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from jointtask.api import Context, DataError
from jointtask.tools import FaultsError, cached_arrays
from jointtask_object_extraction.data.annotations import parse
from jointtask_object_extraction.data.annotations.parse import Objects
from jointtask_object_extraction.data.annotations.shapes import Annotated, Shape
from jointtask_object_extraction.data.decode import DecodeError, decode
from jointtask_object_extraction.data.folder import VERSION
from jointtask_object_extraction.data.frames import FrameDataset, digest_of, file_digest, read_files, unusable
from jointtask_object_extraction.data.masks import squash_mask
from jointtask_object_extraction.data.names import pair_names, shown
from jointtask_object_extraction.data.notes import border_share, duplicate_notes, fact_notes, image_arrays
from jointtask_object_extraction.data.pairing import Files, by_name, in_lists, listed, require_images, sampled
from jointtask_object_extraction.metrics.measures import mask_box
from jointtask_object_extraction.photograph import FRAME, Photograph
from jointtask_object_extraction.settings import AnnotatedData, Boxes, Coco, LabelMe, Voc

__all__ = ["boxes", "coco", "labelme", "voc"]

_FRAMES = ("image", "mask", "box", "has_mask")
_FACTS = ("noted", "share", "border", "has_mask")
_MISFIT = "annotation that does not fit its image"


def coco(settings: Coco, context: Context) -> FrameDataset:
    """Build `coco`: the instances of a COCO file."""
    problems: dict[str, list[str]] = defaultdict(list)
    return _read(
        parse.read_coco(_path(settings.annotations), settings.categories, problems), problems, settings, context
    )


def labelme(settings: LabelMe, context: Context) -> FrameDataset:
    """Build `labelme`: a folder of its JSON files."""
    problems: dict[str, list[str]] = defaultdict(list)
    return _read(
        parse.read_labelme(_path(settings.annotations), settings.labels, problems), problems, settings, context
    )


def voc(settings: Voc, context: Context) -> FrameDataset:
    """Build `voc`: a folder of Pascal VOC's XML files, with its maps of objects or without."""
    problems: dict[str, list[str]] = defaultdict(list)
    masks = _path(settings.masks) if settings.masks else None
    if masks is not None and not masks.is_dir():
        raise DataError(f"no such folder: {shown(masks)}", remedy="relative paths start at the working directory")
    objects = parse.read_voc(_path(settings.annotations), masks, settings.labels, problems)
    return _read(objects, problems, settings, context)


def boxes(settings: Boxes, context: Context) -> FrameDataset:
    """Build `boxes`: a CSV file of boxes."""
    problems: dict[str, list[str]] = defaultdict(list)
    return _read(parse.read_boxes(_path(settings.boxes), problems), problems, settings, context)


@frozen
class _Example:
    """An annotated image, by the content of its files."""

    annotated: Annotated
    max_pixels: int
    image_digest: str
    digest: str

    @property
    def id(self) -> str:
        """The image's name."""
        return self.annotated.id

    def photograph(self) -> Photograph:
        """Decode the image, and draw its mask."""
        decoded = decode(self.annotated.image, self.max_pixels)
        height, width = decoded.image.shape[:2]
        shape = self.annotated.shape
        if shape.size is not None and shape.size != (height, width):
            raise DecodeError(
                self.annotated.image,
                _MISFIT,
                cause=f"the image is {width} x {height} pixels, the annotated one {shape.size[1]} x {shape.size[0]}",
            )
        try:
            mask = shape.mask(height, width, self.max_pixels)
        except ValueError as error:
            raise DecodeError(self.annotated.image, _MISFIT, cause=str(error)) from error
        box = (
            _inside(shape.box, height, width) if shape.box is not None else mask_box(mask) if mask is not None else None
        )
        if box is None or (mask is not None and not mask.any()):
            raise DecodeError(self.annotated.image, _MISFIT, cause="the object has no pixel in the image")
        return Photograph(self.id, decoded.image, mask, decoded.alpha, decoded.notes, box.astype(np.float32))

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the frames, and the facts that notes are made from."""
        photograph = self.photograph()
        height, width = photograph.image.shape[:2]
        mask = photograph.mask
        nothing = np.zeros((FRAME, FRAME), dtype=np.uint8)
        assert photograph.box is not None  # `photograph` sees to it
        return {
            **image_arrays(photograph),
            "mask": nothing if mask is None else squash_mask(mask).astype(np.uint8),
            "box": photograph.box * np.float32(FRAME) / np.array([width, height, width, height], dtype=np.float32),
            "has_mask": np.array(mask is not None),
            "share": np.array(np.nan if mask is None else mask.mean()),
            "border": np.array(np.nan if mask is None else border_share(mask)),
        }


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _inside(box: tuple[float, ...], height: int, width: int) -> NDArray[np.float64] | None:
    """Return the part of a box in the image, (4,); None where that is nothing."""
    cut = np.array(box).clip(0, [width, height, width, height])
    return cut if cut[0] < cut[2] and cut[1] < cut[3] else None


def _read(objects: Objects, problems: dict[str, list[str]], settings: AnnotatedData, context: Context) -> FrameDataset:
    """Pair annotations with images by their names, choose one object of each, and make the frames.

    Raises
    ------
    DataError
        Everything that is wrong with the data, at once.
    """
    notes: list[str] = []
    annotated = _annotated(objects, problems, notes, settings)

    def read(item: Annotated) -> _Example:
        labels = item.shape.labels
        image, mask = file_digest(item.image), "" if labels is None else file_digest(labels)
        text = repr((item.shape.box, item.shape.polygons, item.shape.runs, item.shape.size, item.shape.index))
        return _Example(item, settings.max_pixels, image, digest_of(f"annotated 1, {VERSION}", image, mask, text))

    examples, faults = read_files(annotated, read, context)
    try:
        frames = cached_arrays(
            context.cache / "frames",
            [example.digest for example in examples],
            lambda index: examples[index].arrays(),
            workers=context.workers,
            progress=context.progress,
            label="decode images",
        )
    except FaultsError as error:
        raise unusable(problems, [*faults, *error.faults.values()]) from error
    problems = {kind: names for kind, names in problems.items() if names}
    if problems or faults:
        raise unusable(problems, faults)
    if not examples:
        raise DataError("no example is left", cause="; ".join(notes))
    ids = [example.id for example in examples]
    facts = frames.batch(np.arange(len(examples)), _FACTS)
    bare = [ids[row] for row in np.flatnonzero(~facts["has_mask"])]
    if bare:
        notes.append(f"annotated by a box alone, {len(bare):,}: the localization alone learns them: {listed(bare)}")
    notes += fact_notes(ids, facts)
    notes += duplicate_notes(ids, [example.image_digest for example in examples])
    return FrameDataset(examples, frames, np.arange(len(examples)), _FRAMES, notes)


def _annotated(
    objects: Objects, problems: dict[str, list[str]], notes: list[str], settings: AnnotatedData
) -> list[Annotated]:
    folder = _path(settings.images)
    if not folder.is_dir():
        raise DataError(f"no such folder: {shown(folder)}", remedy="relative paths start at the working directory")
    content = require_images(folder)
    images: Files = by_name(folder, content.images)
    notes += [f"{shown(folder)}: {content.left_out}"] if content.left_out else []
    total = len(images)
    pairing = pair_names(images, objects)
    notes += [f"{'images' if pairing.reverse else 'annotations'} read {pairing.rule}"] if pairing.rule else []
    if alone := sorted(objects.keys() - set(pairing.partner.values())):
        notes.append(f"annotations without an image, not used, {len(alone):,}: {listed(alone)}")
    images = in_lists(settings, images, problems, notes)
    usable: dict[str, Shape] = {}
    left_out: dict[str, list[str]] = defaultdict(list)
    for id_ in sorted(images):
        shapes = objects.get(pairing.partner.get(id_, ""), [])
        if id_ in pairing.ambiguous:
            problems["annotation that names do not decide"].append(shown(id_))
        elif not shapes:
            left_out["without an annotated object"].append(id_)
        elif settings.object == "only" and len(shapes) > 1:
            left_out["with several objects"].append(id_)
        elif len(images[id_]) > 1:
            problems["more than one image of one name"].append(listed(path.name for path in images[id_]))
        else:
            usable[id_] = max(shapes, key=lambda shape: shape.extent)
    notes += [f"left out, {why}, {len(ids):,}: {listed(ids)}" for why, ids in left_out.items()]
    chosen = sampled(settings, list(usable), notes)
    several = sum(len(objects[pairing.partner[id_]]) > 1 for id_ in chosen)
    notes += [f"the largest of several objects is taken, {several:,}"] if several else []
    notes.insert(0, f"{len(chosen):,} of the {total:,} images in {shown(folder)} asked for")
    return [Annotated(id_, images[id_][0], usable[id_]) for id_ in chosen]
