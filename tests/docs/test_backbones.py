"""docs/how-to/backbones.md names every network and every key."""

from __future__ import annotations

from helpers.paths import ROOT
from torchvision import models

from pipeline.model_files.limits import KINDS

TEXT = (ROOT / "docs" / "how-to" / "backbones.md").read_text()


def test_every_network_of_torchvision_and_every_kind_of_model_file_is_named():
    for name in (*models.list_models(module=models.video), *KINDS):
        assert f"`{name}`" in TEXT, name


def test_every_key_about_networks_of_others_is_named():
    for key in ("train", "tokens", "insert", "revision", "published", "pretrained"):
        assert f"backbone.{key}" in TEXT, key
