"""The server: pictures out, clear refusals, bounded memory."""

from __future__ import annotations

import base64
import gc
import io
import json
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from jointtask_object_extraction.extract.cutter import Cutter
from jointtask_object_extraction.photograph import Extraction, Photograph
from PIL import Image

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
pytest.importorskip("python_multipart", reason="the extra `serve` is not installed")
pytest.importorskip("httpx2", reason="starlette's test client needs it")

from jointtask_object_extraction.serve.app import Limits, make_app
from jointtask_object_extraction.serve.options import OPTIONS
from starlette.testclient import TestClient


class RedModel:
    """A `Model` that takes what is red for the object, slowly where it is told to."""

    device = "cpu"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.fault: Exception | None = None

    def extract(self, photographs: Any) -> list[Extraction]:
        assert self.go.wait(30)
        if self.fault is not None:
            raise self.fault
        return [self._extract(photograph) for photograph in photographs]

    def extract_inside(self, photograph: Photograph, boxes: Any) -> list[Extraction]:
        extractions = []
        for x1, y1, x2, y2 in np.asarray(boxes).round().astype(int):
            whole, inside = self._extract(photograph).probability, np.zeros(photograph.image.shape[:2], np.float32)
            inside[y1:y2, x1:x2] = whole[y1:y2, x1:x2]
            extractions.append(Extraction(inside, None))
        return extractions

    def sample(self, photograph: Photograph, draws: int) -> Any:
        raise AssertionError

    def _extract(self, photograph: Photograph) -> Extraction:
        red = photograph.image[..., 0].astype(int)
        found = red > max(150, red.max() - 30)
        return Extraction(np.where(found, 0.95, 0.002).astype(np.float32), None)


def picture(height: int = 60, width: int = 80, format: str = "PNG") -> bytes:
    image = np.full((height, width, 3), 40, np.uint8)
    image[..., 2] = np.arange(width, dtype=np.uint8)
    image[height // 3 : height // 2, width // 4 : width // 2] = (220, 30, 40)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format)
    return stream.getvalue()


PICTURE = picture()


def two_objects() -> bytes:
    """A photograph with two objects, one of them red enough for `RedModel` only where the other is not."""
    image = np.full((60, 80, 3), 40, np.uint8)
    image[..., 2] = np.arange(80, dtype=np.uint8)
    image[5:30, 5:35] = (220, 30, 40)
    image[40:55, 50:75] = (160, 90, 40)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def picture_in(url: str) -> Any:
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return np.asarray(image)


@pytest.fixture
def model() -> RedModel:
    return RedModel()


@pytest.fixture
def client(model: RedModel) -> Iterator[TestClient]:
    limits = Limits(bytes=200_000, waiting=2, seconds=20)
    app = make_app(Cutter(model, max_pixels=100_000), limits, ["testserver"])
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def post(client: TestClient, content: bytes = PICTURE, **options: str) -> Any:
    return client.post("/extract", files={"image": ("photo.png", content)}, data=options)


@pytest.mark.parametrize(
    ("options", "media", "mode", "size"),
    [
        ({}, "image/png", "RGBA", (80, 60)),
        ({"output": "mask"}, "image/png", "L", (80, 60)),
        ({"output": "probability"}, "image/png", "L", (80, 60)),
        ({"output": "uncertainty"}, "image/png", "L", (80, 60)),
        ({"output": "overlay"}, "image/jpeg", "RGB", (80, 60)),
        ({"background": "white", "format": "jpg"}, "image/jpeg", "RGB", (80, 60)),
        ({"format": "webp"}, "image/webp", "RGBA", (80, 60)),
        ({"crop": "true"}, "image/png", "RGBA", (20, 10)),
        ({"max_side": "40", "background": "#102030"}, "image/png", "RGB", (40, 30)),
    ],
)
def test_a_photograph_comes_back_as_asked(
    client: TestClient, options: dict[str, str], media: str, mode: str, size: tuple[int, int]
) -> None:
    answer = post(client, **options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == media
    assert answer.headers["cache-control"] == "no-store"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.mode == mode
        assert abs(image.width - size[0]) <= 2
        assert abs(image.height - size[1]) <= 2
    assert json.loads(answer.headers["x-object"])["size"] == [80, 60]
    # the photograph may be the body itself, and the options the query
    again = client.post("/extract", params=options, content=PICTURE, headers={"content-type": "image/png"})
    assert again.content == answer.content


def test_facts_come_as_json_with_pictures_or_without(client: TestClient) -> None:
    facts = post(client, output="json").json()
    assert set(facts) == {"size", "box", "score", "note"}
    every = post(client, output="all").json()
    assert {name for name in every if str(every[name]).startswith("data:image/")} == {
        "cutout",
        "mask",
        "uncertainty",
        "overlay",
    }
    assert post(client, output="json", box="0,0,10,10").json()["box"] is None
    assert post(client, output="json", box="10,10,70,50").json()["box"] is not None
    assert post(client, output="json", point="30,25").json()["box"] is not None


def test_several_objects_come_each_with_mask_box_and_score(client: TestClient) -> None:
    two = client.post("/extract?objects=3&output=all", content=two_objects()).json()
    assert two["size"] == [80, 60]
    assert [set(each) for each in two["objects"]] == [
        {"box", "score", "note", "cutout", "mask", "uncertainty", "overlay"}
    ] * 2
    boxes = [each["box"] for each in two["objects"]]
    masks = [picture_in(each["mask"]) >= 128 for each in two["objects"]]
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        assert mask[y1:y2, x1:x2].sum() == mask.sum() > 0
    assert not (masks[0] & masks[1]).any()
    labels = client.post("/extract?objects=3&output=labels", content=two_objects())
    assert labels.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(labels.content)) as image:
        np.testing.assert_array_equal(np.asarray(image), masks[0] + 2 * masks[1])
    facts = client.post("/extract?objects=3&output=json", content=two_objects()).json()
    assert [set(each) for each in facts["objects"]] == [{"box", "score", "note"}] * 2
    # one object, and a photograph with none, come in the same form
    assert len(post(client, output="json", objects="4").json()["objects"]) == 1
    grey = io.BytesIO()
    Image.new("RGB", (80, 60), "grey").save(grey, "PNG")
    (nothing,) = post(client, grey.getvalue(), output="json", objects="4").json()["objects"]
    assert (nothing["box"], nothing["note"]) == (None, "it is of one colour")


@pytest.mark.parametrize(
    "options",
    [
        {"objects": "0"}, {"objects": "9"}, {"objects": "2.5"}, {"objects": "all"}, {"objects": "2"},
        {"objects": "2", "output": "mask"}, {"objects": "2", "output": "json", "box": "1,1,9,9"},
        {"objects": "2", "output": "all", "point": "3,3"},
        {"output": "everything"}, {"boks": "1,2,3,4"}, {"box": "1,2,3"}, {"box": "5,5,5,9"}, {"box": "a,b,c,d"},
        {"point": "nan,1"}, {"point": "3"}, {"point": "900,900"}, {"box": "900,900,950,950"},
        {"box": "1,1,9,9", "point": "3,3"}, {"background": "/etc/passwd"}, {"background": "../photo.png"},
        {"background": "#12"}, {"crop": "perhaps"}, {"margin": "-1"}, {"margin": "nan"}, {"max_side": "1e9"},
        {"max_side": "-4"}, {"format": "gif"}, {"format": "jpg"},
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_told(client: TestClient, options: dict[str, str]) -> None:
    answer = post(client, **options)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]
    assert post(client).status_code == 200


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A small PNG that says it has billions of pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no image", 422), (PICTURE[:60], 422), (PICTURE[:-40], 422), (b"\x89PNG\r\n\x1a\n", 422), (bomb(), 413),
        (bomb(1_000_000_000, 1), 413), (picture(400, 500), 413), (bytes(250_000), 413), (b"%PDF-1.7", 422),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422), (b"", 400),
    ],
)  # fmt: skip
def test_what_is_no_photograph_or_too_large_is_told(client: TestClient, content: bytes, code: int) -> None:
    answer = post(client, content)
    assert answer.status_code == code, answer.text
    assert answer.json()["error"]
    assert post(client).status_code == 200


@pytest.mark.parametrize(
    ("headers", "content", "code"),
    [
        ({}, b"", 400),
        ({"content-type": "multipart/form-data"}, b"x", 400),
        ({"content-type": "multipart/form-data; boundary=x"}, b"no form", 400),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--x\r\n\r\n--x--", 400),
        ({"content-length": "99999999"}, b"x", 413),
        ({"host": "evil.example"}, PICTURE, 400),
    ],
)
def test_requests_that_are_wrong_are_told(
    client: TestClient, headers: dict[str, str], content: bytes, code: int
) -> None:
    assert client.post("/extract", content=content, headers=headers).status_code == code
    assert post(client).status_code == 200


def test_another_file_or_two_are_refused(client: TestClient) -> None:
    assert client.post("/extract", files={"photo": ("a.png", PICTURE)}).status_code == 400
    two = [("image", ("a.png", PICTURE)), ("image", ("b.png", PICTURE))]
    assert client.post("/extract", files=two).status_code == 400


def test_an_upload_without_a_length_is_cut_off_at_the_limit(client: TestClient) -> None:
    taken = []

    def chunks() -> Iterator[bytes]:
        for number in range(1000):
            taken.append(number)
            yield bytes(10_000)

    assert client.post("/extract", content=chunks()).status_code == 413


def test_a_full_line_turns_away_and_a_late_answer_is_told(model: RedModel) -> None:
    app = make_app(Cutter(model), Limits(waiting=1, seconds=0.5), ["testserver"])
    with TestClient(app) as client:
        model.go.clear()
        codes: list[int] = []
        askers = [threading.Thread(target=lambda: codes.append(post(client).status_code)) for _ in range(5)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        assert sorted(codes) == [503, 503, 503, 504, 504]
        model.go.set()
        deadline = time.monotonic() + 20
        while client.get("/health").json()["line"] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert post(client).status_code == 200


def test_a_fault_inside_is_told_without_its_details(client: TestClient, model: RedModel) -> None:
    model.fault = RuntimeError("secret")
    answer = post(client)
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_the_page_asks_nobody_else_and_the_interface_describes_every_option(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    described = client.get("/openapi.json").json()["paths"]["/extract"]["post"]
    assert {each["name"] for each in described["parameters"]} == set(OPTIONS)
    form = described["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert set(form) == {"image", *OPTIONS}
    assert client.get("/extract").status_code == 405
    assert client.get("/nowhere").status_code == 404


def test_two_hundred_requests_leave_memory_as_it_was(client: TestClient) -> None:
    contents = [picture(format="JPEG"), PICTURE, b"no image", bomb()]
    for content in contents * 5:
        post(client, content, output="all")
    gc.collect()
    before = resident()
    for content in contents * 50:
        post(client, content, output="all")
    gc.collect()
    # One photograph of 80 x 60 in all its arrays takes 0.3 MB: kept, 200 of them would take more than this.
    assert resident() - before < 20_000_000


def resident() -> int:
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * 4096
    except OSError:
        pytest.skip("the system does not say how much memory a process has")
