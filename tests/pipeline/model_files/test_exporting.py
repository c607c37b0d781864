"""A run into a file and on from it: what the commands say, refuse, and start from."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from helpers.model_files import with_content
from helpers.small_runs import error_line, options, tada

from feature_extraction.weights import read_checkpoint
from pipeline.demo.dataset import make_dataset
from pipeline.model_files.info import trained_on
from pipeline.model_files.opening import open_model


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("unmistakable-place")


@pytest.fixture(scope="module")
def data(place):
    make_dataset(place, train_videos=4, val_videos=2, seconds=14.0)
    return place


@pytest.fixture(scope="module")
def run(data):
    done = tada("run", *options(data, data / "run"))
    assert done.exit_code == 0, done.output
    return data / "run"


@pytest.fixture(scope="module")
def exported(run):
    done = tada(
        "export", "--run-dir", str(run), "--to", str(run.parent / "own.tada"), "--note", "CC0"
    )
    assert done.exit_code == 0, done.output
    assert "5 classes, average mAP" in done.stdout and open_model(run).digest in done.stdout
    return run.parent / "own.tada"


def test_a_run_and_its_file_are_the_same_model(run, exported, tmp_path):
    ours, theirs = open_model(run), open_model(exported)
    assert ours.digest == theirs.digest and ours.heads == theirs.heads and theirs.note == "CC0"
    assert ours.results == theirs.results and theirs.results["tasks"]
    for network in ("classifier", "detector"):
        for name, tensor in getattr(ours, network).items():
            assert torch.equal(getattr(theirs, network)[name], tensor)
    both = [tada("info", str(path)).stdout.splitlines() for path in (run, exported)]
    same = [
        [line for line in lines if line.startswith(("digest", "classes", "clips", "mAP"))]
        for lines in both
    ]
    assert same[0] == same[1] and len(same[0]) == 4
    assert trained_on(run) in both[1][7] and len(trained_on(run)) == 10


def test_nothing_in_the_file_is_where_the_run_lies(exported):
    image = exported.read_bytes()
    assert b"unmistakable" not in image and b"annotations" not in image and b"videos" not in image


def test_the_same_run_is_the_same_file(run, exported, tmp_path):
    moved = shutil.copytree(run, tmp_path / "elsewhere")
    line = ["export", "--run-dir", str(moved), "--to", str(tmp_path / "b.tada"), "--note", "CC0"]
    assert tada(*line).exit_code == 0
    assert (tmp_path / "b.tada").read_bytes() == exported.read_bytes()
    assert "already exists; use --force" in error_line(tada(*line))
    assert tada(*line, "--force").exit_code == 0
    assert (tmp_path / "b.tada").read_bytes() == exported.read_bytes()


def test_a_note_is_a_text_or_a_file(run, tmp_path):
    (tmp_path / "LICENSE").write_bytes("\ufeffone\r\ntwo é\n".encode())
    target = tmp_path / "own.tada"
    for note, text in (
        (str(tmp_path / "LICENSE"), "one\ntwo é"),
        ("a/b: free", "a/b: free"),
        ("x" * 5000, "x" * 5000),
    ):
        done = tada("export", "--run-dir", str(run), "--to", str(target), "--note", note, "--force")
        assert done.exit_code == 0, done.output
        assert open_model(target).note == text
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for note in (tmp_path, tmp_path / "bytes"):
        done = tada(
            "export", "--run-dir", str(run), "--to", str(target), "--note", str(note), "--force"
        )
        assert "cannot be read as text" in error_line(done)
    done = tada("export", "--run-dir", str(run), "--to", str(target), "--force")
    assert "no note" in done.stdout


def test_what_is_no_place_for_a_file(run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to("nowhere")
    for name, said in ((".", "a folder"), ("pipe", "a named pipe"), ("gone", "a link")):
        line = ["export", "--run-dir", str(run), "--to", str(tmp_path / name), "--force"]
        assert said in error_line(tada(*line))


def test_what_is_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "give --run-dir" in error_line(tada("export", "--to", "a.tada")).replace(
        "choose one with", "give"
    )
    assert "nothing" in error_line(tada("export", "--run-dir", "nothing", "--to", "a.tada"))
    assert list(tmp_path.iterdir()) == []


def test_the_only_run_is_taken(run, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "runs/one")
    monkeypatch.chdir(tmp_path)
    done = tada("export", "--to", "a.tada")
    assert done.exit_code == 0 and "using runs/one" in done.stderr


def test_a_program_is_told_the_same(exported, tmp_path):
    done = tada("info", str(exported), "--json", str(tmp_path / "info.json"))
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "info.json").read_text())
    assert (
        told["digest"] in done.stdout
        and told["note"] == "CC0"
        and len(told["classes"]["labels"]) == 5
    )


def test_what_is_no_model_is_one_line(exported, tmp_path):
    path = shutil.copy(exported, tmp_path / "own.tada")
    with_content(path, lambda content: content.update(version=3))
    newer = f"Error: {path}: made by a newer tada-loc (format 3; this one reads 2): update tada-loc"
    data = ["--annotations", "a.csv", "--videos", "v"]
    for line in (["info", str(path)], ["status", "--config", str(path), *data]):
        assert error_line(tada(*line)) == newer


@pytest.mark.parametrize("way", ["--config", "backbone.pretrained"])
def test_a_new_training_starts_from_a_file(way, exported, data, tmp_path):
    run = tmp_path / "further"
    # so small a rate that the weights stay where they start
    still = ["finetune.epochs=1", "finetune.base_lr=1e-12", "finetune.keep=last", "runtime.workers=0",
             "finetune.warmup_epochs=0", "finetune.warmup_lr=0", "finetune.weight_decay=0"]  # fmt: skip
    if way == "--config":
        own = ["--annotations", str(data / "annotations.csv"), "--videos", str(data / "videos")]
        line = ["finetune", "--config", str(exported), "--run-dir", str(run), *own, *still]
    else:
        line = ["finetune", *options(data, run), *still, f"backbone.pretrained={exported}"]
    done = tada(*line)
    assert done.exit_code == 0, done.output
    assert f"initial weights from {exported}" in done.stderr and "left at random" not in done.stderr
    ours = torch.load(run / "finetune/model.pt", weights_only=True)["model"]
    theirs = read_checkpoint(exported)
    for name, tensor in ours.items():
        if name.endswith(("weight", "bias")):
            torch.testing.assert_close(tensor, theirs[name], rtol=1e-4, atol=1e-6)
    again = tada("status", "--run-dir", str(run))
    assert "complete" in again.stdout, again.output


def test_other_classes_get_a_new_head(exported, data, tmp_path):
    lines = (data / "annotations.csv").read_text().splitlines()
    (tmp_path / "two.csv").write_text(
        "\n".join([lines[0], *(line for line in lines[1:] if "slide" in line)])
    )
    line = ["finetune", "--config", str(exported), "--run-dir", str(tmp_path / "run"), "finetune.epochs=1",
            "--annotations", str(tmp_path / "two.csv"), "--videos", str(data / "videos"), "runtime.workers=0",
            "finetune.warmup_epochs=0"]  # fmt: skip
    done = tada(*line)
    assert done.exit_code == 0, done.output
    assert "2 left at random: head.classifiers.0.bias, head.classifiers.0.weight" in done.stderr


def test_a_data_set_must_be_named(exported):
    line = error_line(tada("finetune", "--config", str(exported)))
    assert line == (
        f"Error: {exported} names no annotations and no videos: give --annotations FILE and --videos DIR"
    )
    line = error_line(tada("finetune", "--config", str(exported), "--videos", "v"))
    assert line == f"Error: {exported} names no annotations: give --annotations FILE"
    line = error_line(tada("finetune", "--config", str(exported), "dataset.annotations=a.csv"))
    assert line == f"Error: {exported} names no videos: give --videos DIR"
