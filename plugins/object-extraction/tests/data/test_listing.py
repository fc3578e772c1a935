"""What is read from a folder, and what is said of the rest."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jointtask_object_extraction.data.formats import JPEG
from jointtask_object_extraction.data.listing import FolderContent, list_folder
from PIL import Image, features

PICTURE = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def content(folder: Path) -> FolderContent:
    return list_folder(folder)


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in list_folder(folder).images]


@pytest.mark.parametrize("suffix", [*sorted(JPEG), ".JPG", ".JfIf", ".png", ".bmp", ".webp", ".tif", ".gif", ".ppm"])
def test_every_name_of_a_format_that_is_decoded_is_read(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a", "JPEG" if suffix.lower() in JPEG else "PNG")
    (tmp_path / "a").rename(tmp_path / f"a{suffix}")
    assert names(tmp_path) == [f"a{suffix}"]
    assert content(tmp_path).left_out == ""


def test_avif_is_read_where_pillow_reads_it(tmp_path: Path) -> None:
    (tmp_path / "a.avif").write_bytes(b"")
    assert bool(names(tmp_path)) == bool(features.check("avif"))


@pytest.mark.parametrize("suffix", [".psd", ".CR2", ".nef", ".jxl", ".svg", ".dng", ".exr"])
def test_pictures_that_are_not_read_are_named_with_what_to_do(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"x")
    (tmp_path / f"b{suffix}").write_bytes(b"x")
    found = content(tmp_path)
    assert [path.name for path, _ in found.unread] == [f"a{suffix}", f"b{suffix}"]
    assert f"2 {suffix.lower()} (a{suffix}, b{suffix}; to read them: " in found.left_out


def test_heif_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"x")
    code = (
        "import importlib.util, pathlib; importlib.util.find_spec = lambda name: None;"  # the extra is not installed
        "from jointtask_object_extraction.data.listing import list_folder;"
        f"print(list_folder(pathlib.Path({str(tmp_path)!r})).left_out)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'jointtask-object-extraction[heif]'" in done.stdout


def pipe(path: Path) -> None:
    os.mkfifo(path)


def socket_file(path: Path) -> None:
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)  # which may have 107 bytes


def broken_link(path: Path) -> None:
    path.symlink_to("nowhere")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


@pytest.mark.parametrize("make", [pipe, socket_file, broken_link, link_to_itself, link_to_a_device, link_to_a_pipe])
def test_what_is_no_regular_file_is_named_and_passed_over(tmp_path: Path, make: Callable[[Path], None]) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    make(tmp_path / "b.png")
    found = content(tmp_path)
    assert [path.name for path in found.images] == ["a.png"]
    assert "no regular file" in found.left_out
    assert "b.png" in found.left_out


def to_parent(folder: Path) -> None:
    (folder / "a/loop").symlink_to("..")


def to_itself(folder: Path) -> None:
    (folder / "a/loop").symlink_to(".")


def to_a_sibling(folder: Path) -> None:
    (folder / "0").symlink_to("a")  # before its target in the order of names


def twice(folder: Path) -> None:
    (folder / "first").symlink_to("a/deep")
    (folder / "second").symlink_to("a/deep")


def to_the_root_by_its_path(folder: Path) -> None:
    (folder / "a/deep/all").symlink_to(folder)


@pytest.mark.parametrize("make", [to_parent, to_itself, to_a_sibling, twice, to_the_root_by_its_path])
def test_a_folder_is_searched_once_however_it_is_linked(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "a/deep").mkdir(parents=True)
    for name in ("a/1.png", "a/deep/2.png"):
        Image.fromarray(PICTURE).save(tmp_path / name)
    make(tmp_path)
    assert names(tmp_path) == ["a/1.png", "a/deep/2.png"]
    assert "linked again" in content(tmp_path).left_out


def test_a_linked_folder_that_lies_elsewhere_is_searched_once(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "folder"
    elsewhere.mkdir()
    folder.mkdir()
    Image.fromarray(PICTURE).save(elsewhere / "1.png")
    (folder / "x").symlink_to(elsewhere)
    (folder / "y").symlink_to(elsewhere)
    assert names(folder) == ["x/1.png"]
    assert content(folder).left_out == "left out: 1 linked again (y)"


def test_the_destination_inside_is_not_searched(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("a.png", "out/b.png"):
        Image.fromarray(PICTURE).save(tmp_path / name)
    (tmp_path / "again").symlink_to("out")
    found = list_folder(tmp_path, apart=tmp_path / "out")
    assert [path.name for path in found.images] == ["a.png"]


def test_everything_that_is_left_out_stands_in_one_line(tmp_path: Path) -> None:
    for name in (".hidden.png", "notes.txt", "more.txt", "README"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".git").mkdir()
    assert content(tmp_path).left_out == "left out: 2 .txt, 1 without suffix, 2 hidden"


def test_names_that_are_no_utf_8_are_listed(tmp_path: Path) -> None:
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9.png", os.O_CREAT | os.O_WRONLY))
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9.psd", os.O_CREAT | os.O_WRONLY))
    found = content(tmp_path)
    assert len(found.images) == 1
    assert r"caf\udce9.psd" in found.left_out
