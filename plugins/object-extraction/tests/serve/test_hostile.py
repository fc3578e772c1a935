"""Files made to do harm: the server and `extract` refuse or read the same ones, in little memory, and go on."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jointtask_object_extraction.extract.cutter import Cutter
from jointtask_object_extraction.extract.images import Extractor
from jointtask_object_extraction.extract.inputs import Job
from jointtask_object_extraction.extract.model import FunctionModel
from jointtask_object_extraction.extract.outputs import Outputs
from jointtask_object_extraction.photograph import Extraction, Photograph
from PIL import Image

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
pytest.importorskip("python_multipart", reason="the extra `serve` is not installed")
pytest.importorskip("httpx2", reason="starlette's test client needs it")

from jointtask_object_extraction.serve.app import Limits, make_app
from starlette.testclient import TestClient

BOMB = 300_000_000
"""Bytes that a bomb inflates to; a few hundred thousand as it is sent."""

MOST = 150_000_000
"""Bytes by which the process may grow."""


def picture(format: str, **options: Any) -> bytes:
    image = np.full((60, 80, 3), 40, np.uint8)
    image[20:40, 30:60] = (220, 30, 40)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format, **options)
    return stream.getvalue()


def with_chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG with one chunk more, after its header."""
    png = picture("PNG")
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return png[:33] + chunk + png[33:]


def deflated_zeros() -> bytes:
    deflate = zlib.compressobj(9)
    parts = [deflate.compress(bytes(1_000_000)) for _ in range(BOMB // 1_000_000)]
    return b"".join([*parts, deflate.flush()])


def large_jpeg() -> bytes:
    """A JPEG whose header says 65,500 x 65,500 pixels."""
    jpeg = bytearray(picture("JPEG"))
    start = jpeg.index(b"\xff\xc0")
    jpeg[start + 5 : start + 9] = struct.pack(">HH", 65_500, 65_500)
    return bytes(jpeg)


def wrong_checksum() -> bytes:
    png = bytearray(picture("PNG"))
    png[png.index(b"IDAT") + 20] ^= 0xFF
    return bytes(png)


def endless_tiff() -> bytes:
    """A TIFF whose list of directories leads back to its start."""
    tiff = bytearray(picture("TIFF"))
    (start,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, start)
    struct.pack_into("<I", tiff, start + 2 + 12 * count, start)
    return bytes(tiff)


def archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("photo.jpg", picture("JPEG"))
    return stream.getvalue()


def many_frames() -> bytes:
    frames = [Image.new("RGB", (80, 60), (level, 0, 0)) for level in range(200)]
    return picture("GIF", save_all=True, append_images=frames)


REFUSED: dict[str, Callable[[], bytes]] = {
    "a JPEG that says it has billions of pixels": large_jpeg,
    "half a JPEG": lambda: picture("JPEG")[:-200],
    "half a WebP": lambda: picture("WEBP")[:-40],
    "a PNG whose pixels were changed": wrong_checksum,
    "an archive": archive,
    "a BMP of negative width": lambda: picture("BMP")[:18] + struct.pack("<i", -80) + picture("BMP")[22:],
}
READ: dict[str, Callable[[], bytes]] = {
    "a JPEG that is called a PNG": lambda: picture("JPEG"),
    "a WebP that is called a PNG": lambda: picture("WEBP"),
    "many frames": many_frames,
}
EITHER: dict[str, Callable[[], bytes]] = {
    "a text that inflates": lambda: with_chunk(b"zTXt", b"Comment\0\0" + deflated_zeros()),
    "a colour profile that inflates": lambda: with_chunk(b"iCCP", b"profile\0\0" + deflated_zeros()),
    "a colour profile of noise": lambda: with_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(range(256)) * 9)),
    "a TIFF without an end": endless_tiff,
}
NAMES = ("../../escaped.png", "a\r\nX-Injected: 1.png", "\u202egnp.png", "\u00e4" * 100 + ".png", "con.png", " .png")


def red(photograph: Photograph) -> Extraction:
    return Extraction((photograph.image[..., 0] > 150).astype(np.float32), None)


@pytest.fixture
def cutter() -> Cutter:
    return Cutter(FunctionModel(red, "red"), max_pixels=100_000)


@pytest.fixture
def client(cutter: Cutter) -> Iterator[TestClient]:
    with TestClient(make_app(cutter, Limits(), ["testserver"]), raise_server_exceptions=False) as client:
        yield client


def peak() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        pytest.skip("the system does not say how much memory a process has")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


@pytest.mark.parametrize("name", [*REFUSED, *READ, *EITHER])
def test_what_is_made_to_do_harm_is_refused_or_read_and_nothing_else(
    client: TestClient, cutter: Cutter, tmp_path: Path, name: str
) -> None:
    content = (REFUSED | READ | EITHER)[name]()
    before = peak()
    answer = client.post("/extract", files={"image": ("photo.png", content, "image/png")}, data={"output": "mask"})
    assert answer.status_code in ({200} if name in READ else {413, 422} if name in REFUSED else {200, 422})
    (tmp_path / "photo.png").write_bytes(content)
    extractor = Extractor(cutter, tmp_path, Outputs(("masks",)))
    outcome = extractor(Job(tmp_path / "photo.png", Path("photo")))
    assert bool(outcome.failure) == (answer.status_code != 200)
    assert (tmp_path / "photo-mask.png").exists() == (answer.status_code == 200)
    assert outcome.stopped is None
    assert peak() - before < MOST
    assert client.post("/extract", content=picture("PNG")).status_code == 200


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_odd_lead_nowhere(client: TestClient, name: str) -> None:
    answer = client.post("/extract", files={"image": (name, picture("PNG"))}, data={"output": "json"})
    assert answer.status_code == 200, answer.text
    assert name not in answer.text
    assert "x-injected" not in answer.headers
