"""docs/how-to/backbones.md: its lines run as they stand there, and it names every network and every key."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torchvision import models

from pipeline.model_files.limits import KINDS

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "how-to" / "backbones.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_lines_run():
    torch.manual_seed(0)
    for block in BLOCKS:
        exec(compile(block, "docs/how-to/backbones.md", "exec"), {})
    assert len(BLOCKS) == 1


def test_every_network_of_torchvision_and_every_kind_of_model_file_is_named():
    for name in (*models.list_models(module=models.video), *KINDS):
        assert f"`{name}`" in TEXT, name


def test_every_key_about_networks_of_others_is_named():
    for key in ("train", "tokens", "insert", "revision", "published", "pretrained"):
        assert f"backbone.{key}" in TEXT, key
