"""Published data sets, in the folders that their authors' archives unpack to; docs/data.md tells how each is known."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs
from attrs import frozen

from jointtask.api import Component, Context, DataError
from jointtask.tools.text import listing
from jointtask_object_extraction.data.names import shown
from jointtask_object_extraction.settings import Duts, ImageFolder, ObjectExtractionData, PublishedData, Selection

if TYPE_CHECKING:
    from jointtask_object_extraction.data.frames import FrameDataset

__all__ = ["LAYOUTS", "Layout", "published_components"]

_SHOWN = 8
_PLAIN = ("images", "masks")


@frozen
class Layout:
    """Where a data set has its images and masks.

    Attributes
    ----------
    title : str
        Name that its authors give it.
    images : int
        Number of images that they publish.
    top : str
        The folder that holds everything; a `root` may be this folder or the one above.
    folders : sequence of (str, str)
        Images and masks, inside that folder; the first pair that is there is taken.
    page, terms : str
        Origin: the authors' page; the files to get there and what is known of their licence.
    holds : str
        A pattern that the folder must match something of, where the names in `folders` tell nothing.
    unlabelled, encoding : str
        Settings of `ImageFolder` that it needs.
    """

    title: str
    images: int
    top: str
    folders: Sequence[tuple[str, str]]
    page: str
    terms: str
    holds: str = ""
    unlabelled: Literal["error", "skip"] = "error"
    encoding: Literal["auto", "grey"] = "auto"

    @property
    def origin(self) -> str:
        """Where the data set comes from, for a user who lacks some of it."""
        return f"{self.title} comes from {self.page} ({self.terms}); nothing is downloaded"


LAYOUTS: Mapping[str, Layout] = {
    name: Layout(**row) for name, row in tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8")).items()
}
"""By component name, and by split where each has an archive of its own."""


def published_components() -> Sequence[Component]:
    """Return the data sets that are read where their authors put them."""

    def component(name: str, settings: type[PublishedData], summary: str) -> Component:
        return Component(name, settings, partial(_read, name), summary)

    return [
        component("msra10k", PublishedData, "MSRA10K, or THUS10000: 10,000 images with one object"),
        component("thur15k", PublishedData, "THUR15K: the labelled images of five kinds of object"),
        component("oe", ObjectExtractionData, "the paper's Object Extraction data set, by its lists"),
        component("pascal-s", PublishedData, "PASCAL-S: 850 images of PASCAL VOC, the object where half agree"),
        component("ecssd", PublishedData, "ECSSD: 1,000 images of complex scenes"),
        component("duts", Duts, "DUTS-TR or DUTS-TE"),
    ]


def _read(name: str, settings: PublishedData, context: Context) -> FrameDataset:
    # Listing components should not have to wait for torch.
    from jointtask_object_extraction.data.folder import read_pairs
    from jointtask_object_extraction.data.pairing import find_pairs

    layout = LAYOUTS[f"{name}-{settings.split}" if isinstance(settings, Duts) else name]
    images, masks = _locate(layout, Path(settings.root).expanduser())
    folder = ImageFolder(
        images=str(images),
        masks=str(masks),
        unlabelled=layout.unlabelled,
        encoding=layout.encoding,
        **{field.name: getattr(settings, field.name) for field in attrs.fields(Selection)},
    )
    try:
        listing = find_pairs(folder)
        dataset = read_pairs(listing, folder, context)
    except DataError as error:
        error.remedy = "; ".join(filter(None, (error.remedy, layout.origin)))
        raise
    notes = [f"recognised as {layout.title}: images in {images}, masks in {masks}"]
    if listing.images != layout.images:
        notes.append(f"{layout.title} is published with {layout.images:,} images, here are {listing.images:,}")
    dataset.notes = [*notes, *dataset.notes]
    return dataset


def _locate(layout: Layout, root: Path) -> tuple[Path, Path]:
    """Find the folders of images and masks: under `root`, or one or two folders deeper as archives are unpacked."""
    tops = [top for top in (root, root / layout.top, root / layout.top / layout.top) if top.is_dir()]
    for top in tops:
        # Copies often have plain names inside: then it is the name of the folder that tells which data set it is.
        for names in (*layout.folders, *([_PLAIN] if top.name == layout.top else [])):
            images, masks = (top / name for name in names)
            if images.is_dir() and masks.is_dir() and (not layout.holds or any(top.glob(layout.holds))):
                return images, masks
    plain = tuple(f"{layout.top}/{name}" for name in _PLAIN)
    pairs = " or ".join(f"{images} with {masks}" for images, masks in (*layout.folders, plain))
    listed = "; ".join(f"in {top}: {_listing(top)}" for top in tops) or "no such folder"
    raise DataError(
        f"no {layout.title} in {root}",
        cause=f"looked for {layout.holds or pairs}, there or in its folder {layout.top}; found {listed}",
        remedy=f"name the folder that it was unpacked to; {layout.origin}",
    )


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return listing([shown(name) for name in names], _SHOWN) or "nothing"
