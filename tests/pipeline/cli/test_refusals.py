"""Input that is wrong or hostile, through the command line: exit code 1 or 2, one line, no traceback."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import zipfile
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from helpers.small_runs import error_line, options, same_results, tada, without_stages

from evaluation import json_files
from feature_extraction.store import FeatureFileError, read_features, write_features
from pipeline.run_folder.identity import record_of
from pipeline.run_folder.ledger import Ledger

ROWS = "video,start,end,label,subset\n"
GOOD = "validation_000,0.5,1.5,grow,validation\n"


@pytest.fixture(scope="module")
def featured(whole, tmp_path_factory):
    """A run up to its features; the tests that change it copy it."""
    run = tmp_path_factory.mktemp("featured") / "run"
    without_stages(whole, run, "bmn")
    return run


def nothing_in(run: Path) -> bool:
    """Whether a refused command left nothing that a later one with other settings has to give way to."""
    names = {path.name for path in run.rglob("*") if path.is_file()}
    return names <= {".lock", "manifest.json", "config.yaml"}


def refused(*arguments: object) -> str:
    return error_line(tada(*map(str, arguments)))


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("finetune.epoch=3", "finetune.epochs"),
        ("extrct.fps=30", "extract.fps"),
        ("nonsense=1", "nonsense"),
        ("finetune.epochs=-1", "finetune.epochs = -1"),
        ("finetune.base_lr=.nan", "finetune.base_lr"),
        ("finetune.base_lr=.inf", "finetune.base_lr"),
        ("extract.fps=0", "extract.fps = 0"),
        ("bmn.min_inside=1.5", "bmn.min_inside"),
        ("classify.mode=both", "classify.mode"),
        ("runtime.workers=-1", "runtime.workers"),
        ("finetune.epochs=1e400", "finetune.epochs"),
        ("finetune.epochs=[", "not valid YAML"),
        ("finetune.epochs", "section.key=value"),
    ],
)
def test_settings(data, tmp_path, assignment, said):
    assert said in refused("finetune", *options(data, tmp_path / "run", assignment))
    assert not (tmp_path / "run").exists(), "a refused command leaves nothing"


@pytest.mark.parametrize(
    "iou",
    ["", " ", "a", "0.5:0.1", "0.1:0:0.5", "0.5:0.1:0.1", "0", "1.5", "-0.5", "nan", "inf", "0.5,0.5",
     "0.7,0.5", "0.1:1e-9:0.5", "1:2:3:4", "0,5", "0.5;0.7", "0.5%", "0.1:-0.1:0.5", "\x00"],
)  # fmt: skip
def test_thresholds(whole, data, tmp_path, iou):
    assert "tIoU" in refused("eval", *options(data, whole), "--iou", iou)


def test_empty_paths(data, tmp_path, monkeypatch):
    """As `--run-dir "$RUN"` gives where RUN is not set: not the folder one is in."""
    monkeypatch.chdir(tmp_path)
    for line in (("status", "--run-dir", ""), ("eval", "--json", ""), ("demo", "--run-dir", "")):
        assert "is empty" in refused(*line)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("device", ["toaster", "", "meta", "cuda:99"])
def test_devices(data, tmp_path, device):
    line = options(data, tmp_path / "run", f"runtime.device='{device}'")
    assert "runtime.device" in refused("finetune", *line)


BOMB = "a0: &a0 [x, x]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("bomb.yaml", BOMB, "aliases"),
        ("code.yaml", "!!python/object/apply:os.system [touch ran]", "not valid YAML"),
        ("deep.yaml", "[" * 20000, "not valid YAML"),
        ("list.yaml", "- a\n- b\n", "has no sections"),
        ("empty.yaml", "", "has no sections"),
        ("bytes.yaml", b"\xff\xfe\x00\x01", "cannot be read"),
        ("large.yaml", "a: " + "x" * 1_100_000, "too large: 1.10 MB"),
        ("half.yaml", "dataset: {name: x, form", "not valid YAML"),
    ],
)
def test_configurations(tmp_path, monkeypatch, name, content, said):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert said in refused("finetune", "--config", path, "--run-dir", tmp_path / "run")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ROWS + GOOD + "a,3,2,grow,training\n", "line 3"),
        (ROWS + GOOD + "a,-1,2,grow,training\n", "line 3"),
        (ROWS + GOOD + "a,nan,2,grow,training\n", "line 3"),
        (ROWS + GOOD + "a,0,inf,grow,training\n", "line 3"),
        (ROWS + GOOD + "a,zero,2,grow,training\n", "line 3"),
        (ROWS + GOOD + "a,0,2,,training\n", "line 3"),
        (ROWS + GOOD + "../../x,0,2,grow,training\n", "../../x"),
        (ROWS + GOOD + "/etc/x,0,2,grow,training\n", "/etc/x"),
        (ROWS + GOOD + "a\0b,0,2,grow,training\n", "a"),
        (ROWS + GOOD + '"a\nb",0,2,grow,training\n', r"a\nb"),
        (ROWS + GOOD + "a\x1b[1mb,0,2,grow,training\n", "plain file name"),
        (ROWS + GOOD + "..,0,2,grow,training\n", ".."),
        (ROWS + GOOD + "a\\b,0,2,grow,training\n", "plain file name"),
        (ROWS + GOOD + "x" * 256 + ",0,2,grow,training\n", "256 bytes"),
        (ROWS + GOOD + "a,0,2,grow,training,more,and,more\n", "line 3: more fields"),
        ("video,start,label\na,0,grow\n", "no column end"),
        ("", "not a CSV file"),
        ("\0\0\0", "bad.csv"),
    ],
)
def test_tables(data, tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    line = refused("finetune", *options(data, tmp_path / "run", f"dataset.annotations={path}"))
    assert said in line and "bad.csv" in line
    assert nothing_in(tmp_path / "run")


def database(**entry: object) -> dict:
    good = {"subset": "validation", "duration": 14, "annotations": []}
    bad = {"subset": "training", "duration": 14, "annotations": []} | entry
    return {"database": {"validation_000": good, "training_000": bad}}


def segment(start: object, end: object, label: object = "grow") -> list:
    return [{"segment": [start, end], "label": label}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "database"),
        ({}, "database"),
        ({"database": []}, "database"),
        ({"database": {"a": 3}}, "video a"),
        (database(annotations=3), "training_000"),
        (database(annotations=[3]), "annotation 0"),
        (database(annotations=segment(-1, 2)), "annotation 0"),
        (database(annotations=segment("x", 2)), "annotation 0"),
        (database(annotations=segment(float("nan"), 2)), "annotation 0"),
        (database(annotations=segment(0, 2, 7)), "annotation 0"),
        (database(annotations=segment(0, 10**400)), "annotation 0"),
        (database(annotations=segment(0, 2, "fly")), "'fly'"),
        (database(duration="long"), "duration"),
        (database(subset=None), "subset"),
        ({"database": {"../../x": database()["database"]["training_000"]}}, "../../x"),
        ({"database": {"/etc/x": database()["database"]["training_000"]}}, "/etc/x"),
        ({"database": {"a\0b": database()["database"]["training_000"]}}, "plain file name"),
        ({"database": {"\ud800": database()["database"]["training_000"]}}, "plain file name"),
        ({"database": {"x" * 256: database()["database"]["training_000"]}}, "256 bytes"),
    ],
)
def test_activitynet_files(data, tmp_path, content, said):
    path, classes = tmp_path / "bad.json", tmp_path / "classes.txt"
    path.write_text(json.dumps(content))
    classes.write_text("grow\nshrink\n")
    extra = ("dataset.format=activitynet", f"dataset.classes={classes}")
    extra += (f"dataset.annotations={path}",)
    line = refused("finetune", *options(data, tmp_path / "run", *extra))
    assert said in line
    assert nothing_in(tmp_path / "run")


def test_json_that_is_none_and_ids_that_come_twice(data, tmp_path):
    extra = ("dataset.format=activitynet",)
    for number, text in enumerate(["", "{", "[" * 100_000, '{"database": {"a"', "\0"]):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        own = f"dataset.annotations={path}"
        line = refused("finetune", *options(data, tmp_path / "run", *extra, own))
        assert path.name in line
    twice = tmp_path / "twice.json"
    entry = json.dumps(database()["database"]["validation_000"])
    twice.write_text(f'{{"database": {{"a": {entry}, "a": {entry}}}}}')
    own = f"dataset.annotations={twice}"
    line = refused("finetune", *options(data, tmp_path / "run", *extra, own))
    assert "twice.json" in line and "'a' appears twice" in line
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    for path in (one, two):
        path.write_text(json.dumps(database(annotations=segment(0, 2))))
    both = f"dataset.annotations=[{one}, {two}]"
    assert "annotated twice" in refused("finetune", *options(data, tmp_path / "run", *extra, both))


class Code:
    """Unpickled, it would leave a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize(
    "content", ["code", b"", b"text", b"\x80\x04K\x01.", b"PK\x03\x04 broken", "list", "other"]
)
@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("finetune/model.pt", "extract"),
        ("bmn/model.pt", "bmn"),
        ("finetune/checkpoint.pt", "finetune"),
    ],
)
def test_checkpoints(whole, data, tmp_path, name, stage, content):
    run, mark = tmp_path / "run", tmp_path / "ran"
    first = {"extract": "extract", "bmn": "bmn/proposals", "finetune": "finetune"}[stage]
    without_stages(whole, run, first)
    path = run / name
    if stage == "finetune":  # a stage that has begun, with a checkpoint that is not its own
        tada("finetune", *options(data, run, "finetune.epochs=1", "finetune.warmup_epochs=0"))
        (run / "finetune/model.pt").unlink()
    if content == "code":
        torch.save({"model": Code(mark)}, path)
    elif content == "list":
        torch.save([1, 2], path)
    elif content == "other":
        torch.save({"model": {"weight": torch.zeros(3)}}, path)
    else:
        path.write_bytes(content)
    extra = ("finetune.epochs=1", "finetune.warmup_epochs=0") if stage == "finetune" else ()
    said = refused(stage, *options(data, run, *extra))
    assert path.name in said
    assert not mark.exists(), "code in a checkpoint ran"


def recorded_as_written(folder: Path, name: str) -> None:
    """A stage's output, put there by another hand, recorded as if the stage had written it."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["outputs"][name] = asdict(record_of(folder / name))
    path.write_text(json.dumps(manifest))


def test_a_checkpoint_of_another_architecture(whole, data, tmp_path):
    """Of another width in the run; of another network as initial weights; code in initial weights."""
    run, other = tmp_path / "run", tmp_path / "other"
    line = options(data, other, "finetune.epochs=1", "finetune.warmup_epochs=0", "backbone.width=8")
    assert tada("finetune", *line).exit_code == 0
    without_stages(whole, run, "extract")
    shutil.copy(other / "finetune/model.pt", run / "finetune/model.pt")
    assert "model.pt is not what was written" in refused("extract", *options(data, run))
    recorded_as_written(run / "finetune", "model.pt")
    assert "not the weights of this configuration" in refused("extract", *options(data, run))
    start, mark = tmp_path / "start.pt", tmp_path / "ran"
    for content in ({"weight": torch.zeros(3)}, {"model": Code(mark)}, [1]):
        torch.save(content, start)
        extra = f"backbone.pretrained={start}"
        assert "start.pt" in refused("finetune", *options(data, tmp_path / "new", extra))
    assert not mark.exists()


def outside(file: h5py.File) -> None:
    del file["features"]
    file.create_dataset("features", (4, 32), "e", external=[("secret.bin", 0, h5py.h5f.UNLIMITED)])


def linked(link: object):
    def edit(file: h5py.File) -> None:
        del file["features"]
        file["features"] = link

    return edit


EDITS = {
    "fps": lambda f: f.attrs.__setitem__("fps", 7.0),
    "schema": lambda f: f.attrs.__setitem__("schema_version", 2),
    "no attribute": lambda f: f.attrs.__delitem__("clip_stride"),
    "kind": lambda f: f.attrs.__setitem__("clip_stride", "8"),
    "not finite": lambda f: f["features"].__setitem__((0, 0), np.nan),
    "external link": linked(h5py.ExternalLink("secret.h5", "/features")),
    "soft link": linked(h5py.SoftLink("/elsewhere")),
    "outside storage": outside,
}


@pytest.mark.parametrize("edit", [*EDITS, "cut", "empty", "text"])
def test_feature_files(featured, data, tmp_path, monkeypatch, edit, edit_sealed):
    """Refused where they are handed out, and made again where nobody recorded them."""
    monkeypatch.chdir(tmp_path)
    run = shutil.copytree(featured, tmp_path / "run")
    path = sorted((run / "extract/features").iterdir())[0]
    content = path.read_bytes()
    shutil.copy(path, tmp_path / "secret.h5")
    (tmp_path / "secret.bin").write_bytes(bytes(256))
    if edit == "cut":
        path.write_bytes(content[:-100])
    elif edit in {"empty", "text"}:
        path.write_text("" if edit == "empty" else "not HDF5")
    else:
        edit_sealed(path, EDITS[edit])
    said = refused("export-features", *options(data, run), "--to", tmp_path / "out")
    assert path.name in said and "not what was written" in said and "extract" in said
    with pytest.raises(FeatureFileError) as caught:
        read_features(path, {"fps": 15.0})
    assert ("checksum at its end" in str(caught.value)) == (edit in {"cut", "empty", "text"})
    (run / "extract/videos.jsonl").unlink()
    done = tada("extract", *options(data, run))
    assert done.exit_code == 0 and "1 of 6 videos to do" in done.output, done.output
    assert path.read_bytes() == content


@pytest.mark.parametrize("workers", [0, 2])
def test_features_of_other_channels(featured, data, tmp_path, workers):
    """Recorded as if they had been made so; also where a worker process finds it out: no traceback."""
    run = shutil.copytree(featured, tmp_path / "run")
    path = sorted((run / "extract/features").glob("training*"))[1]
    features, meta = read_features(path)
    write_features(path, features[:, :-4], meta)
    ledger = Ledger(run / "extract")
    ledger.note(ledger.get(path.stem).model_copy(update={"file": record_of(path)}))
    said = refused("bmn", *options(data, run, workers=workers))
    assert path.name in said and "channels" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "fly"}, "none of its labels"),
        ({"label": 7}, "label"),
        ({"score": "high"}, "score"),
        ({"score": float("nan")}, "score"),
        ({"segment": [5, 2]}, "segment"),
        ({"segment": 3}, "segment"),
    ],
)
def test_detection_files(data, tmp_path, change, said):
    truth, found = tmp_path / "truth.json", tmp_path / "found.json"
    truth.write_text(json.dumps(database(annotations=segment(0, 2))))
    row = {"label": "grow", "score": 0.5, "segment": [0, 2]} | change
    content = {"version": "x", "results": {"training_000": [row]}, "external_data": {}}
    found.write_text(json.dumps(content))
    extra = ("dataset.format=activitynet", "dataset.eval_subset=training")
    line = options(data, tmp_path / "run", *extra, f"dataset.annotations={truth}")
    answer = refused("eval", *line, "--detections", found)
    assert said in answer and "found.json" in answer


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"PK\x03\x04", b'{"results": 3}']
)
@pytest.mark.parametrize("name", ["found.json", "found.json.gz", "found.zip"])
def test_files_that_are_no_detections(data, tmp_path, name, content):
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(database(annotations=segment(0, 2))))
    (tmp_path / name).write_bytes(content)
    extra = ("dataset.format=activitynet", "dataset.eval_subset=training")
    line = options(data, tmp_path / "run", *extra, f"dataset.annotations={truth}")
    said = refused("eval", *line, "--detections", tmp_path / name)
    assert name in said


@pytest.mark.parametrize("name", ["found.json.gz", "found.zip"])
def test_a_few_bytes_that_unpack_to_very_many(data, tmp_path, monkeypatch, name):
    monkeypatch.setattr(json_files, "LARGEST", 10 << 20)
    truth, path = tmp_path / "truth.json", tmp_path / name
    truth.write_text(json.dumps(database(annotations=segment(0, 2))))
    content = b"[" + b" " * (50 << 20)
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(content))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("test.json", content)
    extra = ("dataset.format=activitynet", "dataset.eval_subset=training")
    line = options(data, tmp_path / "run", *extra, f"dataset.annotations={truth}")
    said = refused("eval", *line, "--detections", path)
    assert name in said and "unpacks to more than 10 MB" in said


TABLES = ["", "\0", "a,b\n1,2\n", "video,start,end,score,label\nv,x,y,z,w\n", "\xff"]


@pytest.mark.parametrize("name", ["bmn/proposals/proposals.csv", "classify/detections.csv"])
@pytest.mark.parametrize("text", [*TABLES, "unknown label"])
def test_tables_between_stages(whole, data, tmp_path, name, text):
    """Damaged by whatever hand: never read, made again of what they were made of."""
    run, next_stage = tmp_path / "run", "classify" if "proposals" in name else "eval"
    without_stages(whole, run, next_stage)
    if text == "unknown label":
        table = pd.read_csv(run / name)
        table.loc[0, "label"] = "fly"
        table.to_csv(run / name, index=False)
    else:
        (run / name).write_bytes(text.encode("latin-1"))
    assert (
        f"{Path(name).name} is not what was written" in tada("status", *options(data, run)).output
    )
    done = tada(next_stage, *options(data, run))
    assert done.exit_code == 0, done.output
    for made in (
        name,
        f"{next_stage}/{'detections.csv' if next_stage == 'classify' else 'results.json'}",
    ):
        assert (run / made).read_bytes() == (whole / made).read_bytes(), made


@pytest.mark.parametrize("name", ["bmn/proposals/proposals.csv", "classify/detections.csv"])
@pytest.mark.parametrize("text", TABLES)
def test_tables_that_another_program_made(whole, data, tmp_path, name, text):
    """Recorded as if their stage had written them: the stage that reads one says which, and who makes it."""
    run, next_stage = tmp_path / "run", "classify" if "proposals" in name else "eval"
    without_stages(whole, run, next_stage)
    (run / name).write_bytes(text.encode("latin-1"))
    recorded_as_written((run / name).parent, Path(name).name)
    said = refused(next_stage, *options(data, run))
    assert Path(name).name in said and "tada-loc" in said


CONTENTS = [b"", b"{", b"[]", b"[3]", b"\xff", b'{"fields": 3}']


@pytest.mark.parametrize("content", CONTENTS)
def test_a_trainings_manifest_that_is_damaged(whole, data, tmp_path, content):
    """What the network was trained on is not known: it is neither used nor thrown away."""
    run = tmp_path / "run"
    without_stages(whole, run, "extract")
    (run / "finetune/manifest.json").write_bytes(content)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for command in ("finetune", "extract", "run"):
        said = refused(command, *options(data, run))
        assert "finetune/manifest.json: damaged" in said and "--force" in said
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before and not list(run.glob("finetune.*"))


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("folder", ["extract", "bmn/proposals", "classify", "eval"])
def test_a_manifest_that_is_damaged_is_made_again(whole, data, tmp_path, folder, content):
    run = shutil.copytree(whole, tmp_path / "run")
    (run / folder / "manifest.json").write_bytes(content)
    parts = {path: path.stat().st_mtime_ns for path in run.rglob("*.h5")}
    parts |= {path: path.stat().st_mtime_ns for path in run.rglob("videos/*")}
    assert f"{folder}/manifest.json: damaged" in tada("status", *options(data, run)).output
    done = tada("run", *options(data, run))
    assert done.exit_code == 0, done.output
    assert {path: path.stat().st_mtime_ns for path in parts} == parts
    same_results(whole, run)
    assert tada("status", *options(data, run)).output.count(" complete ") == 6


@pytest.mark.parametrize("content", [b"", b"{", b"[3]", b"\xff", b'{"fields": 3}'])
@pytest.mark.parametrize("name", ["extract/failures.json", "config.yaml"])
def test_files_of_the_run_folder(featured, data, tmp_path, name, content):
    run = shutil.copytree(featured, tmp_path / "run")
    (run / name).write_bytes(content)
    if name == "config.yaml":
        assert name in refused("bmn", "--run-dir", run)
        return
    (run / "extract/features/training_001.h5").unlink()
    assert name in refused("bmn", *options(data, run))


def test_a_link_loop_among_the_videos_ends(whole, data, tmp_path):
    """Broken links, folders that hold themselves, sockets: no hang, one line."""
    videos, run = tmp_path / "videos", tmp_path / "run"
    shutil.copytree(data / "videos", videos)
    (videos / "loop").symlink_to(videos, target_is_directory=True)
    (videos / "training_001.mp4").unlink()
    (videos / "training_001.mp4").symlink_to(tmp_path / "nowhere.mp4")
    without_stages(whole, run, "extract")
    said = refused("extract", *options(data, run, f"dataset.videos={videos}"))
    assert "training_001" in said and "a link to" in said and "which does not exist" in said


def test_unknown_labels_of_detections_cannot_reach_the_table(whole, data, tmp_path):
    """A detections table with a class that does not exist is refused by the stage that scores it."""
    run = tmp_path / "run"
    without_stages(whole, run, "eval")
    path = run / "classify/detections.csv"
    table = pd.read_csv(path)
    table.loc[0, "label"] = "fly"
    table.to_csv(path, index=False)
    recorded_as_written(path.parent, path.name)
    said = refused("eval", *options(data, run))
    assert "detections.csv" in said and "fly" in said


def test_reports_into_a_pipe(whole, data, tmp_path):
    """`--json` names something that is not a file: it stays what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # both ends: nothing waits for anybody
    try:
        for command in ("eval", "doctor", "plan"):
            tada(command, *options(data, whole), "--json", str(pipe))
            assert pipe.is_fifo(), command
            assert json.loads(os.read(held, 1 << 16)), command
    finally:
        os.close(held)
