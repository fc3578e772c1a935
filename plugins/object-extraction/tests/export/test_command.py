"""`jointtask export`, and what it writes at use, without torch."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from jointtask_object_extraction import Cutter
from jointtask_object_extraction.export.runtime import open_onnx
from jointtask_object_extraction.extract import model
from jointtask_object_extraction.extract.model import load_run
from jointtask_object_extraction.photograph import Photograph
from PIL import Image
from typer.testing import CliRunner

from jointtask import run_file
from jointtask.api import UserError
from jointtask.cli.app import app
from jointtask.tools import SilentProgress

pytest.importorskip("onnx", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

RUN = """
[run]
name = "small"
output = "{output}"
threads = 1
[data.train]
name = "synthetic-objects"
split = "train"
examples = 48
[upstream]
name = "object-localization"
optimizer = {{ rate = 2e-3 }}
[downstream]
name = "object-segmentation"
optimizer = {{ rate = 2e-3 }}
[bridge]
name = "box-adjustment"
context = 1.2
[sampler]
name = "none"
[em]
rounds = 1
warmup_epochs = 4
batch_size = 8
[predict]
relocations = {relocations}
"""
SIZES = ((300, 400), (400, 300), (224, 224), (448, 448), (1, 50), (50, 1), (1, 1), (97, 640))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the compact networks, and its exported model beside it."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "small.toml").write_text(RUN.format(output=folder, relocations=1))
    run_file(folder / "small.toml")
    result = CliRunner().invoke(app, ["export", str(folder / "small"), "--to", str(folder / "small.onnx")])
    assert result.exit_code == 0, result.output
    assert "on 20 photographs of 10 sizes" in result.output
    return folder


def photographs() -> list[Photograph]:
    random = np.random.default_rng(0)
    found = []
    for height, width in SIZES:
        image = random.integers(0, 120, (height, width, 3), dtype=np.uint8)
        image[height // 4 : height, width // 3 : width // 3 * 2] += 120  # it touches the lower border
        found.append(Photograph(f"{height}x{width}", image, None))
    return found


@pytest.mark.slow
def test_it_gives_what_the_run_gives_at_any_size(small: Path) -> None:
    run, exported = load_run(small / "small", "cpu", SilentProgress()), open_onnx(small / "small.onnx", threads=1)
    for photograph in photographs():
        (ours,), (theirs,) = exported.extract([photograph]), run.extract([photograph])
        assert ours.probability.shape == photograph.image.shape[:2]
        assert np.abs(ours.probability - theirs.probability).max() <= 1e-3
        height, width = photograph.image.shape[:2]
        box = np.array([[0.2 * width, 0.1 * height, 0.9 * width, 0.8 * height]])
        (ours,), (theirs,) = exported.extract_inside(photograph, box), run.extract_inside(photograph, box)
        assert np.abs(ours.probability - theirs.probability).max() <= 1e-3


@pytest.mark.slow
def test_the_file_says_what_it_is(small: Path) -> None:
    session = onnxruntime.InferenceSession(small / "small.onnx", providers=["CPUExecutionProvider"])
    given = session.get_modelmeta().custom_metadata_map
    assert given["jointtask"] == "object-extraction"
    assert given["run"] == "small"
    assert given["weights"] == hashlib.sha256((small / "small" / "model.safetensors").read_bytes()).hexdigest()
    assert json.loads(given["classes"]) == ["background", "object"]
    assert given["licence"] == "not stated"
    assert "224" in given["frame"]
    # the box is optional
    (image,) = session.get_inputs()
    assert (image.name, image.type) == ("image", "tensor(uint8)")
    assert [output.name for output in session.get_outputs()] == ["probability", "box_found"]


@pytest.mark.slow
def test_networks_on_efficientnet_lite_are_exported(tmp_path: Path) -> None:
    # Kernels of 5, ReLU6, and TensorFlow's padding, which is not the same on both sides.
    text = RUN.format(output=tmp_path, relocations=0).replace("examples = 48", "examples = 8")
    text = text.replace("warmup_epochs = 4", "warmup_epochs = 1")
    text = text.replace("optimizer = { rate = 2e-3 }", 'network = "efficientnet-lite0"')
    (tmp_path / "small.toml").write_text(text)
    run_file(tmp_path / "small.toml")
    result = CliRunner().invoke(app, ["export", str(tmp_path / "small"), "--to", str(tmp_path / "small.onnx")])
    assert result.exit_code == 0, result.output
    assert "on 20 photographs of 10 sizes" in result.output


@pytest.mark.slow
def test_extract_and_cutter_use_it_without_torch(small: Path, tmp_path: Path) -> None:
    for photograph in photographs()[:3]:
        Image.fromarray(photograph.image).save(tmp_path / f"{photograph.id}.png")
    code = """
import sys
sys.modules["torch"] = None  # importing it raises
from jointtask.cli.main import main
from jointtask_object_extraction import Cutter
model, image, folder = sys.argv[1:]
assert Cutter(model)(image, box=(10, 10, 200, 200)).mask.shape == (300, 400)
sys.argv = ["jointtask"]
main(["extract", folder, "--to", folder + "/out", "--model", model])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(small / "small.onnx"), str(tmp_path / "300x400.png"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "3 done, 0 failed" in done.stdout
    assert len(list((tmp_path / "out").glob("*-mask.png"))) == 3


@pytest.mark.slow
def test_worker_processes_use_it_without_torch_and_write_the_same_bytes(small: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for photograph in photographs()[:4]:
        Image.fromarray(photograph.image).save(tmp_path / "images" / f"{photograph.id}.png")
    # A module of this name before torch itself: whatever imports it ends, in worker processes too.
    (tmp_path / "poison" / "torch").mkdir(parents=True)
    (tmp_path / "poison" / "torch" / "__init__.py").write_text("raise SystemExit('torch was imported')")
    path = os.pathsep.join([str(tmp_path / "poison"), *filter(None, [os.environ.get("PYTHONPATH")])])
    for workers in ("1", "2"):
        command = [sys.executable, "-m", "jointtask", "extract", str(tmp_path / "images"), "--workers", workers]
        command += ["--to", str(tmp_path / workers), "--model", str(small / "small.onnx")]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
        )
        assert done.returncode == 0, done.stderr
        assert "4 done, 0 failed" in done.stdout
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / n).iterdir()} for n in ("1", "2"))
    assert len(one) == 16
    assert one == two


@pytest.mark.slow
def test_onnxruntime_sends_nothing_and_keeps_nothing(small: Path, tmp_path: Path) -> None:
    # Its telemetry is off in tests (`CI`) unless the variables that say so are away.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "CI", "GITHUB_"))}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    code = (
        "import os, sys; from jointtask_object_extraction import Cutter; Cutter(sys.argv[1]); "
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'"
    )
    subprocess.run([sys.executable, "-c", code, str(small / "small.onnx")], check=True, env=environment)
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name]


@pytest.mark.slow
def test_the_shipped_model_is_found_as_a_file_by_its_name(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "SHIPPED", tmp_path)
    with pytest.raises(UserError, match="the exported model that ships is missing"):
        Cutter("shipped-onnx")
    shutil.copy(small / "small.onnx", tmp_path / "model.onnx")
    photograph = photographs()[0]
    np.testing.assert_array_equal(
        Cutter("shipped-onnx")(photograph).probability, Cutter(small / "small.onnx")(photograph).probability
    )


def test_the_file_that_ships_was_exported_from_the_weights_that_ship() -> None:
    path = model.SHIPPED / "model.onnx"
    given = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_modelmeta().custom_metadata_map
    assert given["weights"] == (model.SHIPPED / "model.sha256").read_text().split()[0]
    weights = (model.SHIPPED / "model.safetensors").stat().st_size
    assert weights + path.stat().st_size < 25_000_000


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--save", "uncertainty"], ["--draws", "4"]])
def test_what_it_has_no_posterior_for_is_refused(small: Path, tmp_path: Path, options: list[str]) -> None:
    photograph = photographs()[0]
    Image.fromarray(photograph.image).save(tmp_path / "image.png")
    arguments = ["extract", tmp_path / "image.png", "--to", tmp_path / "out", "--model", small / "small.onnx", *options]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code != 0 or isinstance(result.exception, UserError)


def test_a_look_at_the_whole_and_a_mirrored_one_are_exported(small: Path, tmp_path: Path) -> None:
    _used_otherwise(small, tmp_path / "run", 'start = "upstream"', 'start = "whole"', "mirror = false", "mirror = true")
    result = CliRunner().invoke(app, ["export", str(tmp_path / "run"), "--to", str(tmp_path / "x.onnx")])
    assert result.exit_code == 0, result.output  # export compares both on 20 photographs
    assert (tmp_path / "x.onnx").stat().st_size < (small / "small.onnx").stat().st_size  # without the upstream network


def _used_otherwise(small: Path, to: Path, *replaced: str) -> None:
    """Copy a run whose run file says another use: pairs of a passage and what stands in its place."""
    to.mkdir()
    (to / "model.safetensors").write_bytes((small / "small" / "model.safetensors").read_bytes())
    config = (small / "small" / "config.toml").read_text()
    for before, after in zip(replaced[::2], replaced[1::2], strict=True):
        assert before in config
        config = config.replace(before, after)
    (to / "config.toml").write_text(config)


def test_a_run_that_averages_many_boxes_is_refused(small: Path, tmp_path: Path) -> None:
    _used_otherwise(small, tmp_path / "run", "draws = 1\n", "draws = 4\n")
    result = CliRunner().invoke(app, ["export", str(tmp_path / "run"), "--to", str(tmp_path / "x.onnx")])
    assert isinstance(result.exception, UserError)
    assert "draws" in str(result.exception)


@pytest.mark.parametrize("to", ["x.pt", "x", "nowhere/x.onnx", "folder.onnx", "there.onnx"])
def test_where_nothing_can_be_written_is_told_before_any_work(tmp_path: Path, to: str) -> None:
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "there.onnx").write_bytes(b"mine")
    result = CliRunner().invoke(app, ["export", "shipped", "--to", str(tmp_path / to)])
    assert isinstance(result.exception, UserError)
    assert result.exception.exit_code == 2
    assert (tmp_path / "there.onnx").read_bytes() == b"mine"


@pytest.mark.parametrize("config", ["", "[run]\nname = 'x'\n", "not toml"])
def test_what_is_no_run_is_told(tmp_path: Path, config: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text(config)
    result = CliRunner().invoke(app, ["export", str(tmp_path / "run"), "--to", str(tmp_path / "x.onnx")])
    assert isinstance(result.exception, UserError)
    assert result.exception.exit_code == 2


def test_a_run_of_another_pair_is_told(tmp_path: Path) -> None:
    pytest.importorskip("jointtask_digit_reading", reason="the other pair is not installed")
    text = (Path(__file__).parents[4] / "examples" / "digit_reading.toml").read_text()
    (tmp_path / "digits.toml").write_text(text)
    small = ["data.train.examples=32", "data.validation.examples=8", "data.test.examples=8", "em.warmup_epochs=0"]
    run_file(tmp_path / "digits.toml", overrides=[*small, "em.rounds=1", f"run.output={tmp_path}", "run.name=digits"])
    result = CliRunner().invoke(app, ["export", str(tmp_path / "digits"), "--to", str(tmp_path / "x.onnx")])
    assert isinstance(result.exception, UserError)
    assert result.exception.exit_code == 2
    assert "does not extract objects" in str(result.exception)


def a_model(**metadata: str) -> bytes:
    import onnx

    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [value], [])
    graph.output.append(onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1]))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.helper.set_model_props(model, metadata)
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize(
    "content", [None, b"", b"no model", a_model(), a_model(jointtask="digit-reading"), a_model()[:40]]
)
def test_a_file_that_is_no_exported_model_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        open_onnx(path)
    assert "x.onnx" in caught.value.message


def test_without_onnxruntime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError) as caught:
        open_onnx(tmp_path / "x.onnx")
    assert "jointtask-object-extraction[onnx]" in caught.value.remedy
