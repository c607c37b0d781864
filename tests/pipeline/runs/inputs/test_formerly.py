"""A run that an older program left: it is current where that program would record the same, and recorded again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.small_runs import MADE, error_line, options, same_results, tada

from feature_extraction.store import read_features, write_features
from pipeline.configuration.reading import load_config
from pipeline.data.annotations import annotation_files
from pipeline.run_folder.identity import file_digest, fingerprint, plain_fields
from pipeline.run_folder.manifests import read_manifest
from pipeline.runs.inputs.fields import setting_fields
from pipeline.runs.ways import in_order

LATER = (
    "extract/videos.jsonl",
    "bmn/proposals/videos.jsonl",
    "classify/videos.jsonl",
    "sources.json",
)
READ = {
    "extract": ["finetune"],
    "bmn": ["extract"],
    "proposals": ["bmn"],
    "classify": ["finetune", "bmn/proposals"],
    "eval": ["classify"],
}


@pytest.fixture
def former(whole, data, tmp_path):
    """A run of before inputs were known by their content; the data is beside it, to be changed."""
    run, own = tmp_path / "run", tmp_path / "data"
    shutil.copytree(whole, run)
    shutil.copytree(data, own)
    for name in LATER:
        (run / name).unlink()
    shutil.rmtree(run / "classify/videos")
    for path in (run / "extract/features").iterdir():  # they did not say of which file they are
        features, meta = read_features(path)
        write_features(path, features, replace(meta, source=""))
    record_formerly(run)
    return run, own


def record_formerly(run):
    """The manifests of that program: an input is known by its stage's fields, annotations by their file."""
    config = load_config(run / "config.yaml")
    fields = {}
    for stage in in_order():
        path = run / stage.folder / "manifest.json"
        now = json.loads(path.read_text())
        own = {f"input.{name}": fingerprint(fields[name]) for name in READ.get(stage.name, ())}
        own |= setting_fields(config, stage)
        if stage.annotations is not None:
            for role, file in annotation_files(config.dataset).items():
                own[f"file.{role}"] = file_digest(file)
        own = plain_fields(own)
        kept = {name: now[name] for name in ("stage", "state", "started", "updated", "summary")}
        path.write_text(json.dumps(kept | {"fingerprint": fingerprint(own), "fields": own}))
        left_out = now["summary"].get("left_out")
        fields[stage.folder] = own | ({"left_out": left_out} if left_out else {})


def states(data, run, *more):
    text = tada("status", *options(data, run), *more).output
    rows = [line.split() for line in text.splitlines()[2:8]]
    return {row[0]: row[1] for row in rows}


ALL = [stage.folder for stage in in_order()]


def test_it_is_complete_and_only_recorded_anew(former, whole):
    run, data = former
    assert states(data, run) == dict.fromkeys(ALL, "complete")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    done = tada("run", *options(data, run))
    assert done.exit_code == 0, done.output
    assert "epoch" not in done.output and "to do on" not in done.output
    kept = {path for path in before if path.name not in {"manifest.json", ".lock"}}
    assert {path: path.read_bytes() for path in kept} == {path: before[path] for path in kept}
    for name in ALL:
        manifest = read_manifest(run / name)
        assert (
            manifest.form == 2
            and manifest.former == json.loads(before[run / name / "manifest.json"])["fields"]
        )
    # What is recorded now is what a run of today records, but for how it came to be.
    for name in ("finetune", "bmn"):
        assert read_manifest(run / name).weights == read_manifest(whole / name).weights
        assert read_manifest(run / name).fields == read_manifest(whole / name).fields
    done = tada("run", *options(data, run))
    assert done.output.count("complete, nothing to do") == 5, "and not looked at twice"
    assert tada("verify", *options(data, run)).exit_code == 0


def test_a_segment_that_is_added_later_to_be_measured_on_concerns_eval_alone(former):
    run, data = former
    assert tada("run", *options(data, run)).exit_code == 0
    rows = data / "annotations.csv"
    table = pd.read_csv(rows)
    validation = table[table["subset"] == "validation"].iloc[:1].assign(start=0.25, end=0.75)
    pd.concat([table, validation]).to_csv(rows, index=False)
    assert states(data, run) == dict.fromkeys(ALL, "complete") | {"eval": "stale"}
    before = {name: (run / name).stat().st_mtime_ns for name in MADE}
    done = tada("run", *options(data, run))
    assert done.exit_code == 0, done.output
    changed = [name for name in MADE if (run / name).stat().st_mtime_ns != before[name]]
    assert changed == ["eval/results.json"]


def test_a_training_segment_that_is_added_before_it_is_recorded_anew_is_seen(former):
    run, data = former
    table = pd.read_csv(data / "annotations.csv")
    training = table[table["subset"] == "training"].iloc[:1].assign(start=0.25, end=0.75)
    pd.concat([table, training]).to_csv(data / "annotations.csv", index=False)
    said = error_line(tada("run", *options(data, run)))
    assert "dataset.annotations" in said and "--force" in said


def test_other_settings_are_named_in_its_own_terms(former):
    run, data = former
    said = error_line(tada("finetune", *options(data, run, "finetune.epochs=3")))
    assert "finetune.epochs: 2 -> 3" in said and "changed" not in said


def test_one_bit_of_a_feature_is_found_and_made_again(former, whole):
    run, data = former
    assert tada("run", *options(data, run)).exit_code == 0
    path = run / "extract/features/validation_000.h5"
    features, _ = read_features(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = tada("verify", *options(data, run))
    assert found.exit_code == 1 and f"{path}: is not as it was written" in found.output
    assert states(data, run)["extract"] == "stale"
    done = tada("extract", *options(data, run))
    assert done.exit_code == 0 and "1 of 6 videos to do" in done.output
    np.testing.assert_array_equal(read_features(path)[0], features)
    assert states(data, run) == dict.fromkeys(ALL, "complete")


def test_a_part_that_is_gone_is_made_again(former, whole):
    run, data = former
    part = run / "bmn/proposals/videos/validation_001.csv"
    part.unlink()
    assert tada("run", *options(data, run)).exit_code == 0
    assert states(data, run) == dict.fromkeys(ALL, "complete")
    for name in (*MADE, "bmn/proposals/videos/validation_001.csv"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    # Features say now of which file they are: those made again would be the same.
    path = run / "extract/features/validation_001.h5"
    path.unlink()
    assert tada("extract", *options(data, run)).exit_code == 0
    assert path.read_bytes() == (whole / "extract/features/validation_001.h5").read_bytes()


def test_what_it_left_undone_is_gone_on_with(former, whole):
    run, data = former
    for name in ("classify", "eval"):
        shutil.rmtree(run / name)
    path = run / "bmn/proposals/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "partial"}))
    done = tada("run", *options(data, run))
    assert done.exit_code == 0 and "epoch" not in done.output, done.output
    for path in (run / "extract/features").iterdir():
        path.write_bytes((whole / "extract/features" / path.name).read_bytes())
    same_results(whole, run)
