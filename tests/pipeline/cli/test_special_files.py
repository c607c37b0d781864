"""Pipes, sockets, devices and links where a command reads a file: one line that says what it is, and no wait."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.small_runs import error_line, options, tada, without_stages
from helpers.special_files import KINDS, SAID, put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TABLE = "video,start,end,label,subset\nvalidation_000,0.5,1.5,grow,validation\ntraining_000,0,2,grow,training\n"
DATABASE = {
    "database": {
        f"{subset}_000": {
            "subset": subset,
            "duration": 14,
            "annotations": [{"segment": [0, 2], "label": "grow"}],
        }
        for subset in ("training", "validation")
    }
}
EPIC = "dataset.format=epic_kitchens"


def refused(*arguments: object) -> str:
    return error_line(tada(*map(str, arguments)))


# The keys that name a file, and the other keys that have it read.
KEYS = {
    "a table": ("dataset.annotations", "dataset.format=table"),
    "JSON annotations": ("dataset.annotations", "dataset.format=activitynet"),
    "EPIC-KITCHENS annotations": ("dataset.annotations", EPIC),
    "Kinetics annotations": ("dataset.annotations", "dataset.format=kinetics"),
    "Something-Something annotations": ("dataset.annotations", "dataset.format=something"),
    "class names": ("dataset.classes", "dataset.format=activitynet", "dataset.annotations=ok.json"),
    "EPIC-KITCHENS classes": ("dataset.classes", EPIC),
    "what is known of videos": ("dataset.video_info", EPIC, "dataset.annotations=ok.csv"),
    "videos to skip": ("runtime.skip",),
    "initial weights": ("backbone.pretrained",),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ok.json").write_text(json.dumps(DATABASE))
    (tmp_path / "ok.csv").write_text(
        "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\nP01_01,00:00:00.1,00:00:03.3,3,3\n"
    )
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", sorted(KEYS))
def test_files_that_a_configuration_names(here, data, key, kind):
    put(here / "special.json", kind)
    name, *more = KEYS[key]
    value = "[special.json, special.json]" if key == "EPIC-KITCHENS classes" else "special.json"
    said = refused("finetune", *options(data, here / "run", *more, f"{name}={value}"))
    assert SAID[kind] in said and "special.json" in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["special.yaml", "special"])
def test_configurations(here, kind, name):
    put(here / name, kind)
    said = refused("finetune", "--config", name, "--run-dir", "run")
    assert name in said and (SAID[kind] in said or (kind, name) == ("folder", "special"))
    put(here / "tada-loc.yaml", kind)
    assert SAID[kind] in refused("status"), "not passed over"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", [".json", ".json.gz", ".zip"])
def test_result_files(here, data, kind, ending):
    put(here / f"special{ending}", kind)
    extra = ("--config", "demo", "dataset.format=activitynet", "--annotations", here / "ok.json")
    said = refused("score", here / f"special{ending}", *extra)
    assert SAID[kind] in said and f"special{ending}" in said


def test_what_a_shell_puts_in_place_of_a_command(here, data):
    """`<(cat FILE)`, and /dev/stdin where a pipe is behind it."""
    ours, theirs = os.pipe()
    try:
        for read in (f"dataset.annotations=/dev/fd/{ours}", f"runtime.skip=/dev/fd/{ours}"):
            said = refused("finetune", *options(data, here / "run", read))
            assert f"/dev/fd/{ours}" in said and "a named pipe" in said
        extra = ("--config", "demo", "dataset.format=activitynet", "--annotations", "ok.json")
        assert "a named pipe" in refused("score", f"/dev/fd/{ours}", *extra)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_doctor_says_what_stands_in_place_of_a_video(here, data, kind):
    videos = shutil.copytree(data / "videos", here / "videos")
    put(videos / "training_001.mp4", kind)
    result = tada("doctor", *options(data, here / "run", f"dataset.videos={videos}"))
    assert result.exit_code == 1 and "Traceback" not in result.output
    if kind in {"folder", "nowhere", "loop"}:
        assert "1 of 6 missing" in result.output
        assert kind == "folder" or SAID[kind] in result.output
    else:
        assert SAID[kind] in result.output and "1 of 6 do not decode" in result.output


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", [".npy", ".npz", ".pt"])
def test_imported_features(here, kind, ending):
    (here / "features").mkdir()
    np.save(here / "features/validation_000.npy", np.ones((14, 4), np.float32))
    put(here / f"features/training_000{ending}", kind)
    line = ["import-features", *options(here, here / "run", "dataset.format=activitynet")]
    line += ["--annotations", "ok.json", "--from", "features", "--fps", "10", "--stride", "10"]
    said = refused(*line, "dataset.annotations=ok.json")
    assert SAID[kind] in said and "training_000" in said


# A file of a run folder, and the command that reads it.
OF_RUN = {
    "config.yaml": "status",
    "finetune/manifest.json": "extract",
    "finetune/model.pt": "extract",
    "extract/failures.json": "bmn",
    "extract/features/training_001.h5": "bmn",
    "bmn/model.pt": "bmn",
    "bmn/proposals/proposals.csv": "classify",
    "classify/detections.csv": "eval",
    "eval/results.json": "eval",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(OF_RUN))
def test_files_of_the_run_folder(whole, data, tmp_path, name, kind):
    run, command = tmp_path / "run", OF_RUN[name]
    first = {"bmn": "bmn", "status": "eval"}.get(command, command)
    if name in {"bmn/model.pt", "eval/results.json"}:
        first = "bmn/proposals" if name == "bmn/model.pt" else ""
    shutil.copytree(whole, run) if not first else without_stages(whole, run, first)
    if name == "extract/failures.json":
        (run / "extract/features/training_001.h5").unlink()
    put(run / name, kind)
    line = ["--run-dir", str(run)] if name == "config.yaml" else options(data, run)
    result = tada(command, *line)
    assert "Traceback" not in result.output and "unexpected" not in result.output
    if result.exit_code == 0:  # what is made again replaces it, where that can be
        assert (run / name).is_file() and not (run / name).is_symlink()
    else:
        said = error_line(result)
        assert Path(name).stem in said or "is not complete" in said


def test_annotations_of_absurd_size(here, data):
    """A few kilobytes that unpack to far more than text packs; a sparse file; one line with size and limit."""
    (here / "rows.csv.gz").write_bytes(gzip.compress(TABLE.encode() + bytes(30 << 20)))
    said = refused("finetune", *options(data, here / "run", "dataset.annotations=rows.csv.gz"))
    assert "rows.csv.gz: " in said and "0.03 MB, unpacked more, and at most 16.78 MB" in said
    for name, *more in KEYS.values():
        with (here / "special.json").open("wb") as file:
            file.truncate(1 << 40)
        twice = EPIC in more and name == "dataset.classes"
        value = "[special.json, special.json]" if twice else "special.json"
        said = refused("finetune", *options(data, here / "run", *more, f"{name}={value}"))
        assert "special.json" in said and "1099.51 GB, and at most" in said


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(draw=st.data())
def test_any_of_them_in_any_place_is_one_line(here, data, draw):
    """By chance: what stands there, how the path is written, which key names it, which command reads it."""
    kind = draw.draw(st.sampled_from(KINDS))
    name, *more = KEYS[draw.draw(st.sampled_from(sorted(KEYS)))]
    ending = draw.draw(
        st.sampled_from(["", ".csv", ".json", ".csv.gz", ".txt", ".pt", ".zip", ".xz"])
    )
    path = here / f"special{ending}"
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    elif os.path.lexists(path):
        path.unlink()
    put(path, kind)
    shown = draw.draw(
        st.sampled_from([str(path), path.name, f"./{path.name}", f"../{here.name}/{path.name}"])
    )
    value = f"[{shown}, {shown}]" if EPIC in more and name == "dataset.classes" else shown
    command = draw.draw(st.sampled_from(["finetune", "run", "init"]))
    if command == "init":
        said = refused("init", data / "videos", shown, "--to", here / "new.yaml")
    else:
        said = refused(command, *options(data, here / "run", *more, f"{name}={value}"))
    assert SAID[kind] in said or "packed JSON" in said
