"""The run file of fine-tuning: the shipped model's own networks, and an example that is up to date."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from jointtask_object_extraction.extract.model import SHIPPED
from jointtask_object_extraction.finetune.runfile import VALIDATION, epochs_for, finetune_file

EXAMPLE = Path(__file__).parents[4] / "examples" / "object_extraction_folder.toml"


def test_the_networks_and_the_bridge_are_those_of_the_shipped_model() -> None:
    shipped = tomllib.loads((SHIPPED / "config.toml").read_text())
    written = tomllib.loads(finetune_file("x", "images", "masks", output="runs", epochs=10))
    for name in ("upstream", "downstream", "bridge"):
        assert {key: value for key, value in written[name].items() if key != "optimizer"} == shipped[name]
    assert written["em"]["oracle_examples"] == 0
    assert written["sampler"] == {"name": "none"}


def test_the_example_is_what_the_command_writes() -> None:
    """If it is not, after a new model: write it again with `--write-only`, keeping its first lines."""
    name, folder = "object-extraction-folder", "photographs"
    images, masks = f"{folder}/images", f"{folder}/masks"
    epochs = epochs_for(60 - round(VALIDATION * 60))
    text = finetune_file(name, images, masks, output="runs", epochs=epochs)
    assert EXAMPLE.read_text().partition("[run]")[2] == text.partition("[run]")[2]


@pytest.mark.parametrize("name", ['with "quotes"', "C:\\images", "tab\there", "newline\n", "Bilder für später", "\x7f"])
def test_any_folder_can_be_written(name: str) -> None:
    written = tomllib.loads(finetune_file("x", name, "masks", output="runs", epochs=10))
    assert written["data"]["train"]["images"] == written["data"]["validation"]["images"] == name


@pytest.mark.parametrize(("count", "epochs"), [(1, 40), (24, 40), (80, 25), (240, 8), (100_000, 8)])
def test_few_images_are_shown_more_often(count: int, epochs: int) -> None:
    assert epochs_for(count) == epochs
