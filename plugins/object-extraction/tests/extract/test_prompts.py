"""Boxes and points from the command line and from files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jointtask_object_extraction.extract.inputs import Job
from jointtask_object_extraction.extract.prompts import give_boxes, parse_box, parse_point

from jointtask.api import ConfigError

JOBS = [Job(Path("in/a/cat.jpg"), Path("a/cat")), Job(Path("in/dog.png"), Path("dog"))]
BOXES = [(1.0, 2.0, 30.0, 40.5), (5.0, 6.0, 7.0, 8.0)]

FILES = {
    "a table": "image,x1,y1,x2,y2\ncat.jpg,1,2,30,40.5\ndog.png,5,6,7,8\n",
    "other columns and spaces": "Y1, X1, note, x2, y2, ID\n2, 1, , 30, 40.5, a/cat\n6, 5, , 7, 8, dog\n",
    "a byte order mark": "\ufeffimage,x1,y1,x2,y2\na/cat.jpg,1,2,30,40.5\ndog,5,6,7,8\n",
    "more images than are asked for": "file,x1,y1,x2,y2\nbird,0,0,9,9\ncat,1,2,30,40.5\ndog,5,6,7,8\n",
    "a JSON object": '{"a/cat": [1, 2, 30, 40.5], "dog.png": [5, 6, 7, 8]}',
    "JSON records": '[{"image": "cat.jpg", "box": [1, 2, 30, 40.5]}, {"image": "dog", "box": [5, 6, 7, 8]}]',
    "numbers as text": '[{"id": "cat", "box": ["1", "2", "30", "40.5"]}, {"id": "dog", "box": [5, 6, 7, 8]}]',
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_boxes(tmp_path: Path, name: str) -> None:
    path = tmp_path / "boxes"
    path.write_text(FILES[name], encoding="utf-8")
    assert [job.box for job in give_boxes(JOBS, str(path))] == BOXES


def test_boxes_that_extract_wrote_are_read(tmp_path: Path) -> None:
    record = {"image": "dog.png", "size": [10, 10], "box": [5, 6, 7, 8], "score": 0.9}
    (tmp_path / "dog-box.json").write_text(json.dumps(record))
    assert give_boxes(JOBS[1:], str(tmp_path / "dog-box.json"))[0].box == BOXES[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,x1,y1,x2,y2\ncat,1,2,3,4\n", "has no box for in/dog.png"),
        ("image,x1,y1,x2\ncat,1,2,3\n", "is no table of boxes"),
        ("", "is no table of boxes"),
        ("image,x1,y1,x2,y2\ncat,1,2,3,four\n", "line 2 is not x1,y1,x2,y2"),
        ("image,x1,y1,x2,y2\ncat,1,2,3\n", "line 2 is not x1,y1,x2,y2"),
        ("image,x1,y1,x2,y2\ncat,3,2,1,4\n", "the box is empty"),
        ("image,x1,y1,x2,y2\ncat,1,2,3,4\ncat,1,2,3,5\n", "cat has two boxes"),
        ('{"cat": [1, 2, 3, 4], ', "is not JSON"),
        ('[{"image": "cat"}]', "something that is no box"),
        ("[[1, 2, 3, 4]]", "something that is no box"),
        ('{"cat": [1, 2, 3]}', "cat is not x1,y1,x2,y2"),
        ('{"cat": null}', "cat is not x1,y1,x2,y2"),
        ('{"cat": [1, 2, 3, Infinity]}', "cat is not x1,y1,x2,y2"),
    ],
)
def test_faulty_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "boxes"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        give_boxes(JOBS, str(path))


def test_one_box_is_for_one_image() -> None:
    assert give_boxes(JOBS[:1], "1,2,30,40.5")[0].box == BOXES[0]
    with pytest.raises(ConfigError, match="one box, and there are 2 images"):
        give_boxes(JOBS, "1,2,30,40.5")


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,3,inf", "1 2 3 4", "nan,2,3,4"])
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_box(text.split(","), "--box")


def test_points() -> None:
    assert parse_point("3, 4.5") == (3.0, 4.5)
    for text in ("", "3", "3,4,5", "x,y", "3;4"):
        with pytest.raises(ConfigError):
            parse_point(text)
