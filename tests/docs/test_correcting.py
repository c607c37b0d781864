"""docs/how-to/correct-and-train-again.md: what it says of labels and commands holds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
from click.testing import CliRunner
from helpers.hand_made import epic, found
from helpers.paths import ROOT

from pipeline.cli.commands import main
from pipeline.data.annotations.dataset import Inputs
from pipeline.data.annotations.formats import read_format
from pipeline.writers.elan import write_elan

TEXT = (ROOT / "docs" / "how-to" / "correct-and-train-again.md").read_text()


def corrected(folder: Path, *names: str) -> None:
    """The document's command for files of ELAN, with these."""
    line = next(
        line for line in TEXT.splitlines() if line.startswith("tada-loc convert predictions")
    )
    options = line.split()[line.split().index("--to") :]
    options[1] = str(folder / options[1])
    result = CliRunner().invoke(
        main, ["convert", *(str(folder / name) for name in names), *options]
    )
    assert result.exit_code == 0, result.output


def test_the_tables_can_be_joined(tmp_path):
    write_elan(found(), tmp_path / "v06.eaf")
    write_elan(found(source=Path("v07.mp4")), tmp_path / "v07.eaf")
    corrected(tmp_path, "v06.eaf", "v07.eaf")
    own = "video,start,end,label,subset\nkitchen_01,1.0,2.0,right,training\nv08,1.0,2.0,up,validation\n"
    joined = own + (tmp_path / "corrected.csv").read_text().split("\n", 1)[1]
    (tmp_path / "own.csv").write_text(joined)
    dataset = read_format("table", Inputs([tmp_path / "own.csv"]))
    assert dataset.videos.groupby("subset").size().to_dict() == {"training": 3, "validation": 1}


def test_corrected_verbs_and_nouns_are_annotations_of_epic_kitchens_again(tmp_path):
    prediction = epic()
    prediction = found(
        [(3661.25, 3662.5, "3,17", 0.9), (0.0, 2.0, "0,2", 0.5)], names=prediction.names
    )
    write_elan(prediction, tmp_path / "v06.eaf")
    corrected(tmp_path, "v06.eaf")
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    rows = read_format("epic_kitchens", Inputs([tmp_path / "EPIC_corrected.csv"])).annotations
    wanted = prediction.detections.sort_values("start", ignore_index=True)
    names = ["video", "start", "end", "label", "verb", "noun"]
    rows = rows.sort_values("start", ignore_index=True)
    pd.testing.assert_frame_equal(rows[names], wanted[names], check_dtype=False)
