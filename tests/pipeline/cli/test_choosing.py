"""Which configuration and run folder a command takes by default."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.choosing import choose
from pipeline.configuration.reading import SHIPPED
from pipeline.errors import UsageError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to run commands in."""
    monkeypatch.chdir(tmp_path)


def begun(name, *, config=True, manifest=True):
    """A run folder in `runs/`, in which a stage has begun."""
    folder = Path("runs") / name
    (folder / "finetune").mkdir(parents=True)
    if manifest:
        (folder / "finetune" / "manifest.json").write_text("{}")
    if config:
        (folder / "config.yaml").write_text("")
    return folder


def test_what_is_told_is_taken_without_a_word(capsys):
    begun("other")
    assert choose("hacs", None) == (SHIPPED / "hacs.yaml", Path("runs/hacs"))
    assert choose("hacs", Path("mine")) == (SHIPPED / "hacs.yaml", Path("mine"))
    Path("own.yaml").write_text("")
    assert choose("own.yaml", None) == (Path("own.yaml"), Path("runs/own"))
    assert capsys.readouterr().err == ""
    with pytest.raises(UsageError, match="neither a file nor a shipped configuration"):
        choose("nothing", None)


def test_a_run_folder_has_its_configuration(capsys):
    folder = begun("a")
    begun("b")
    assert choose(None, folder) == (folder / "config.yaml", folder)
    assert capsys.readouterr().err == f"using the settings of {folder / 'config.yaml'}\n"


def test_the_only_run_folder_is_taken(capsys):
    folder = begun("a")
    begun("refused", manifest=False)
    begun("without", config=False)
    Path("tada-loc.yaml").write_text("")
    assert choose(None, None) == (folder / "config.yaml", folder)
    assert capsys.readouterr().err == f"using {folder}, the only run folder here\n"


def test_of_several_run_folders_none_is_taken():
    for name in "gfedcba":
        begun(name)
    named = ", ".join(str(Path("runs") / name) for name in "abcde")
    with pytest.raises(UsageError) as caught:
        choose(None, None)
    assert caught.value.message == (
        f"several run folders here ({named}); choose one with --run-dir or --config"
    )


@pytest.mark.parametrize("run_dir", [None, Path("new")])
def test_else_the_configuration_here_else_the_shipped_one(run_dir, capsys):
    shipped = SHIPPED / "ek100.yaml"
    assert choose(None, run_dir) == (shipped, run_dir or Path("runs/ek100"))
    assert capsys.readouterr().err == f"no --config: using {shipped}\n"
    Path("tada-loc.yaml").write_text("")
    assert choose(None, run_dir) == (Path("tada-loc.yaml"), run_dir or Path("runs/tada-loc"))
    assert capsys.readouterr().err == "no --config: using tada-loc.yaml\n"
