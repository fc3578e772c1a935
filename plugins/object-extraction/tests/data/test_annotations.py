"""Data sets of annotation files: COCO, labelme, Pascal VOC, boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jointtask_object_extraction.bridge.box import BoxBridge
from jointtask_object_extraction.data.annotations import dataset as data
from jointtask_object_extraction.data.annotations.shapes import Shape, run_lengths
from jointtask_object_extraction.data.frames import FrameDataset
from jointtask_object_extraction.settings import Boxes, Coco, LabelMe, Voc
from PIL import Image

from jointtask.api import Context, DataError, LatentGrid
from jointtask.testing import check_dataset
from jointtask.tools import SilentProgress

HEIGHT, WIDTH = 40, 60
SQUARE = [10, 5, 30, 5, 30, 25, 10, 25]
MASK = np.zeros((HEIGHT, WIDTH), dtype=bool)
MASK[5:25, 10:30] = True


def images(root: Path, *names: str) -> Path:
    folder = root / "images"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(list(name.encode())).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / name)
    return folder


def context(root: Path) -> Context:
    return Context(torch.device("cpu"), workers=1, cache=root / "cache", progress=SilentProgress())


def coco(
    root: Path, annotations: list[dict[str, Any]], names: tuple[str, ...] = ("a.png", "b.png"), **how: Any
) -> FrameDataset:
    folder = images(root, *names)
    content = {
        "images": [{"id": n, "file_name": name, "height": HEIGHT, "width": WIDTH} for n, name in enumerate(names)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [{"id": n, "category_id": 1, **each} for n, each in enumerate(annotations)],
    }
    (root / "instances.json").write_text(json.dumps(content))
    settings = Coco(images=str(folder), annotations=str(root / "instances.json"), **how)
    return data.coco(settings, context(root))


def labelme(root: Path, *shapes: dict[str, Any], **how: Any) -> FrameDataset:
    folder = images(root, "a.png", "deep/b.png")
    for name in ("a", "deep/b"):
        path = root / "json" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"imageHeight": HEIGHT, "imageWidth": WIDTH, "imagePath": "x", "shapes": list(shapes)}
        path.write_text(json.dumps(content))
    return data.labelme(LabelMe(images=str(folder), annotations=str(root / "json"), **how), context(root))


def voc(root: Path, *, masks: bool, **how: Any) -> FrameDataset:
    folder = images(root, "a.jpg", "b.jpg")
    (root / "xml").mkdir()
    (root / "maps").mkdir()
    sides = {"xmin": 11, "ymin": 6, "xmax": 30, "ymax": 25}
    box = "".join(f"<{key}>{value}</{key}>" for key, value in sides.items())
    small = "".join(f"<{key}>{value}</{key}>" for key, value in zip(sides, (40, 30, 44, 33), strict=True))
    objects = f"<object><name>dog</name><bndbox>{small}</bndbox></object>"
    objects += f"<object><name>cat</name><bndbox>{box}</bndbox></object>"
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[29:33, 39:44], labels[MASK], labels[0] = 1, 2, 255
    for name in ("a", "b"):
        (root / f"xml/{name}.xml").write_text(f"<annotation><filename>{name}.jpg</filename>{objects}</annotation>")
        picture = Image.fromarray(labels, "P")
        picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [224] * 759)
        picture.save(root / f"maps/{name}.png")
    how = {"masks": str(root / "maps")} | how if masks else how
    return data.voc(Voc(images=str(folder), annotations=str(root / "xml"), **how), context(root))


RUNS = [10 * HEIGHT + 5, *[20, 20] * 19, 20, 15 + 30 * HEIGHT]


def compressed(runs: list[int]) -> str:
    """Encode run lengths as COCO's own library does."""
    text = ""
    for at, run in enumerate(runs):
        value, more = run - (runs[at - 2] if at > 2 else 0), True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != -1 if bits & 0x10 else value != 0
            text += chr((bits | 0x20 if more else bits) + 48)
    return text


@pytest.mark.parametrize(
    "segmentation",
    [
        [SQUARE],
        [[10, 5, 20, 5, 20, 25, 10, 25], [20, 5, 30, 5, 30, 25, 20, 25]],
        {"size": [HEIGHT, WIDTH], "counts": RUNS},
        {"size": [HEIGHT, WIDTH], "counts": compressed(RUNS)},
        [[30.0, 25.0, 10.0, 25.0, 10.0, 5.0, 30.0, 5.0]],
    ],
    ids=["polygon", "two parts", "run lengths", "compressed run lengths", "the other way round"],
)
def test_masks_of_coco(tmp_path: Path, segmentation: Any) -> None:
    each = {"bbox": [8, 4, 24, 22], "segmentation": segmentation}
    dataset = coco(tmp_path, [{"image_id": 0, **each}, {"image_id": 1, **each}])
    example = dataset.example(0)
    np.testing.assert_array_equal(example.mask, MASK)
    assert example.box is not None
    assert example.box.tolist() == [8, 4, 32, 26]  # as annotated, not the mask's own
    batch = dataset.batch([0, 1])
    assert batch["has_mask"].tolist() == [True, True]
    scale = torch.tensor([224 / WIDTH, 224 / HEIGHT] * 2)
    torch.testing.assert_close(batch["box"][0], torch.tensor([8.0, 4, 32, 26]) * scale)
    check_dataset(dataset)


def test_an_image_with_a_box_alone_trains_the_localization_alone(tmp_path: Path) -> None:
    dataset = coco(
        tmp_path,
        [{"image_id": 0, "bbox": [10, 5, 20, 20], "segmentation": [SQUARE]}, {"image_id": 1, "bbox": [20, 10, 12, 9]}],
    )
    assert dataset.batch([0, 1])["has_mask"].tolist() == [True, False]
    assert dataset.example(1).mask is None
    assert any(note.startswith("annotated by a box alone, 1: ") for note in dataset.notes)
    bridge = BoxBridge(grid=LatentGrid.product([(-10.0, 0.0, 10.0)] * 4), input_size=64, output_size=16)
    batch = dataset.batch([0, 1])
    torch.testing.assert_close(bridge.base(batch)[1], batch["box"][1])
    assert bridge.present == ("", "has_mask")


def test_the_largest_object_is_taken_or_images_with_several_are_left_out(tmp_path: Path) -> None:
    annotations = [
        {"image_id": 0, "bbox": [0, 0, 5, 5]},
        {"image_id": 0, "bbox": [10, 5, 20, 20]},
        {"image_id": 1, "bbox": [1, 2, 20, 20]},
    ]
    largest = coco(tmp_path, annotations)
    assert largest.example(0).box.tolist() == [10, 5, 30, 25]
    assert "the largest of several objects is taken, 1" in largest.notes
    only = coco(tmp_path, annotations, object="only")
    assert only.ids == ["b"]
    assert "left out, with several objects, 1: a" in only.notes


def test_categories_crowds_and_images_without_objects(tmp_path: Path) -> None:
    annotations = [
        {"image_id": 0, "bbox": [0, 0, 5, 5], "category_id": 2},
        {"image_id": 1, "bbox": [1, 2, 20, 20]},
        {"image_id": 1, "bbox": [0, 0, 60, 40], "iscrowd": 1},
    ]
    dataset = coco(tmp_path, annotations, categories=("cat",))
    assert dataset.ids == ["b"]
    assert dataset.example(0).box.tolist() == [1, 2, 21, 22]
    assert "left out, without an annotated object, 1: a" in dataset.notes
    with pytest.raises(DataError, match="no category cow"):
        coco(tmp_path, annotations, categories=("cow",))


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ({"image_id": 7, "bbox": [0, 0, 5, 5]}, "annotation that cannot be read, 1"),
        ({"image_id": 0, "bbox": [0, 0, 5]}, "expected 4 numbers"),
        ({"image_id": 0, "bbox": [0, 0, "x", 5]}, "annotation that cannot be read"),
        ({"image_id": 0, "segmentation": [[1, 2, 3]]}, "at least three corners"),
        ({"image_id": 0, "segmentation": {"size": [40, 60], "counts": [5, 5]}}, "run lengths of 10 pixels"),
        ({"image_id": 0, "segmentation": {"size": [60, 40], "counts": [0, 2400]}}, "the annotated one 40 x 60"),
        ({"image_id": 0, "bbox": [100, 100, 5, 5]}, "the object has no pixel in the image"),
        ({"image_id": 0, "bbox": [0, 0, float("nan"), 5]}, "annotation that cannot be read"),
    ],
)
def test_faults_of_annotations_are_listed_with_their_names(tmp_path: Path, annotation: Any, said: str) -> None:
    with pytest.raises(DataError, match="the data cannot be used") as caught:
        coco(tmp_path, [annotation, {"image_id": 1, "bbox": [1, 2, 20, 20]}])
    assert said in caught.value.message


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"images": 3}', '{"images": [1]}', "[" * 100_000, '{"images": [{}]}']
)
def test_a_file_that_is_no_coco_is_refused(tmp_path: Path, content: str) -> None:
    folder = images(tmp_path, "a.png")
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=r"x\.json"):
        data.coco(Coco(images=str(folder), annotations=str(tmp_path / "x.json")), context(tmp_path))


@pytest.mark.parametrize(
    ("shape", "box", "masked"),
    [
        ({"points": [[10, 5], [30, 5], [30, 25], [10, 25]], "shape_type": "polygon"}, [10, 5, 30, 25], True),
        ({"points": [[30, 25], [10, 5]], "shape_type": "rectangle"}, [10, 5, 30, 25], False),
        ({"points": [[20, 15], [30, 15]], "shape_type": "circle"}, [10, 5, 30, 25], True),
        ({"points": [[10, 5], [30, 5], [30, 25], [10, 25]]}, [10, 5, 30, 25], True),
        (
            {"points": [[10, 5], [30, 5], [30, 25], [10, 25]], "shape_type": "polygon", "label": "cat"},
            [10, 5, 30, 25],
            True,
        ),
    ],
)
def test_shapes_of_labelme(tmp_path: Path, shape: dict[str, Any], box: list[float], masked: bool) -> None:
    dataset = labelme(tmp_path, shape, {"points": [[1, 1], [5, 5]], "shape_type": "line"})
    assert dataset.ids == ["a", "deep/b"]
    example = dataset.example(1)
    assert (example.mask is not None) == masked
    np.testing.assert_allclose(example.box, box, atol=1)
    check_dataset(dataset)


def test_boxes_and_masks_of_voc(tmp_path: Path) -> None:
    dataset = voc(tmp_path, masks=True)
    example = dataset.example(0)
    np.testing.assert_array_equal(example.mask, MASK)
    assert example.box.tolist() == [10, 5, 30, 25]  # the last pixel belongs to VOC's boxes, which count from 1
    check_dataset(dataset)


def test_voc_without_maps_and_by_label(tmp_path: Path) -> None:
    dataset = voc(tmp_path, masks=False, labels=("dog",))
    assert dataset.example(0).box.tolist() == [39, 29, 44, 33]
    assert dataset.example(0).mask is None


@pytest.mark.parametrize(
    "text",
    [
        "a.png,10,5,30,25\nb.png,1,2,3,4\n",
        "id,x1,y1,x2,y2\na,10,5,30,25\nb,1,2,3,4\n",
        "label;file;x1;y1;x2;y2\ncat;a.png;10;5;30;25\ncat;b.png;1;2;3;4\n",
        "\ufeffid\tx1\ty1\tx2\ty2\r\na\t10\t5\t30\t25\r\nb\t1\t2\t3\t4\r\n",
        "images/a.png, 10, 5, 30, 25\nimages/b.png, 1, 2, 3, 4\n",
        "a,10,5,30,25\n# a remark\n\nb,1,2,3,4\na,0,0,2,2\n",
    ],
)
def test_boxes_of_a_csv_file(tmp_path: Path, text: str) -> None:
    folder = images(tmp_path, "a.png", "b.png")
    (tmp_path / "boxes.csv").write_text(text, encoding="utf-8")
    dataset = data.boxes(Boxes(images=str(folder), boxes=str(tmp_path / "boxes.csv")), context(tmp_path))
    assert dataset.ids == ["a", "b"]
    assert dataset.example(0).box.tolist() == [10, 5, 30, 25]
    assert not dataset.batch([0, 1])["has_mask"].any()


@pytest.mark.parametrize("line", ["a,1,2,3", "a,3,2,1,4", "a,x,2,3,4", "a,1,2,nan,4", "a,1,2,1,4"])
def test_a_bad_line_of_boxes_is_named(tmp_path: Path, line: str) -> None:
    folder = images(tmp_path, "a.png")
    (tmp_path / "boxes.csv").write_text(f"b,1,2,3,4\n{line}\n")
    with pytest.raises(DataError, match=r"boxes\.csv, line 2"):
        data.boxes(Boxes(images=str(folder), boxes=str(tmp_path / "boxes.csv")), context(tmp_path))


def test_lists_limits_and_names_work_as_for_folders(tmp_path: Path) -> None:
    names = tuple(f"{n}.png" for n in range(8))
    annotations = [{"image_id": n, "bbox": [1, 2, 20, 20]} for n in range(8)]
    (tmp_path / "ids.txt").write_text("1\n2.png\n3\n")
    assert coco(tmp_path, annotations, names, ids=str(tmp_path / "ids.txt")).ids == ["1", "2", "3"]
    assert len(coco(tmp_path, annotations, names, limit=5)) == 5
    parts = [coco(tmp_path, annotations, names, part=part).ids for part in ((0, 0.5), (0.5, 1))]
    assert sorted([*parts[0], *parts[1]]) == [str(n) for n in range(8)]


def test_run_lengths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="run lengths"):
        run_lengths({"size": [4, 4], "counts": [3, 3]})
    assert Shape(runs=(0, 4), size=(2, 2)).mask(2, 2, 100).all()
