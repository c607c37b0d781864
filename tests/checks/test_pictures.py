"""docs/pictures: every file has its script, and every file is shown somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.paths import ROOT
from PIL import Image

from checks.pictures.__main__ import PICTURES, main
from checks.pictures.table import SCRIPTS

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = re.compile(r"(?:\]\(|(?:src|srcset)=\")([^)\"\s]+\.png)")


def shown() -> set[Path]:
    """The pictures that documents show."""
    found = set()
    for document in DOCUMENTS:
        for target in SHOWN.findall(document.read_text()):
            if "://" not in target:
                found.add((document.parent / target).resolve())
    return found


def test_every_picture_is_made_by_one_script():
    made = [name for script in SCRIPTS for name in script.files]
    assert len(set(made)) == len(made)
    assert set(made) == {path.name for path in PICTURES.iterdir()}


def test_every_picture_is_shown_by_a_document_and_every_one_shown_is_there():
    files = set(PICTURES.iterdir())
    assert files <= shown(), f"shown nowhere: {sorted(path.name for path in files - shown())}"
    assert [path for path in shown() if not path.is_file()] == []


@pytest.mark.parametrize("name", [name for script in SCRIPTS for name in script.files])
def test_pictures_are_small_enough_to_be_loaded_at_once(name):
    path = PICTURES / name
    assert path.stat().st_size < 400_000
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.width <= 1600


def test_what_is_missing_is_said_and_the_exit_code_tells(tmp_path, capsys):
    assert main(["demo", "pipeline", "--run", str(tmp_path / "none"), "--to", str(tmp_path)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all("no finished demo in" in line for line in lines)
    assert not list(tmp_path.glob("*.png"))


def test_an_unknown_name_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["nothing"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert all(script.name in said for script in SCRIPTS)
