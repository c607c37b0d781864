"""docs/how-to/tadaconv.md: its first block is short, and its names and numbers are the networks'."""

from __future__ import annotations

import re

import pytest
import torch
from helpers.documents.parts import tables_of
from helpers.documents.reading import blocks_of
from helpers.paths import ROOT
from torch.utils.flop_counter import FlopCounterMode

from feature_extraction import build_backbone
from feature_extraction.backbones import BACKBONES
from pipeline.configuration.keys import known_keys

DOCUMENT = ROOT / "docs" / "how-to" / "tadaconv.md"
TEXT = DOCUMENT.read_text()


def test_ten_lines_are_ten_lines():
    first = next(block for block in blocks_of(DOCUMENT) if block.language == "python")
    assert len([line for line in first.text.splitlines() if line.strip()]) <= 10


def test_every_name_and_option_is_there():
    for name in BACKBONES:
        assert f"`{name}`" in TEXT, name
    named = set(re.findall(r"^\| (`[^|]*`) \|", TEXT, re.MULTILINE))
    options = {option for cell in named for option in re.findall(r"`(\w+)`", cell)}
    known = {key.removeprefix("backbone.") for key in known_keys() if key.startswith("backbone.")}
    rest = {"name", "depth", "width", "dropout", "mean", "std", "pretrained", "pool_kernel"}
    rest |= {"train", "tokens", "insert", "revision", "published"}  # docs/how-to/backbones.md
    assert options - set(BACKBONES) == known - rest


def rows() -> list[tuple[list[str], list[float], list[float]]]:
    found = []
    for row in [row for table in tables_of(TEXT) for row in table.rows]:
        cells = row.cells
        if "→" in row.text and len(cells) == 4:
            names = re.findall(r"`(\w+)`", cells[0] + cells[1])
            numbers = [
                [float(n) for n in re.findall(r"\d+\.\d+", cell.split("(")[0])]
                for cell in cells[2:]
            ]
            found.append((names, *numbers))
    return found


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][0])
def test_the_counts_are_the_networks(row):
    for name, parameters, operations in zip(*row, strict=True):
        with torch.device("meta"):
            model = build_backbone(name, num_classes=400).eval()
            clip = torch.empty(1, 3, 32 if "slowfast" in name else 8, 256, 256)
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                model(clip)
        assert f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f}" == f"{parameters:.2f}"
        assert abs(counter.get_total_flops() / 2e9 - operations) < 0.0051
    assert {name for names, _, _ in rows() for name in names} == set(BACKBONES)
