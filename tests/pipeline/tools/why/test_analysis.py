"""`eval --why`: two tables and their JSON, kept beside the figures and made again when they are of other inputs."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers import separable
from helpers.separable import CLASSES, VALIDATION, right_proposals, take, write_scores
from helpers.small_runs import error_line, options, tada

from evaluation import KINDS, detection_map, with_true_classes
from pipeline.results.tables import read_proposals
from pipeline.runs.run import run_of
from pipeline.stages.heads import proposals
from pipeline.tools.why import analysis, oracles

NAMES = ["true classes", "true segments", "grid", "before NMS", "nearest kept"]


@pytest.fixture
def run(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def why(run) -> dict:
    return json.loads((run / "eval/why.json").read_text())


def average(made: dict, name: str) -> float:
    return next(r for r in made["stages"] if r["name"] == name)["tasks"]["mAP"]["average"]


def test_tables_json_and_the_file_beside_the_figures_say_the_same(data, run, tmp_path):
    done = tada("eval", *options(data, run), "--why", "--json", str(tmp_path / "all.json"))
    assert done.exit_code == 0, done.output
    made = why(run)
    written = json.loads((tmp_path / "all.json").read_text())
    assert written.pop("why") == made
    assert written == json.loads((run / "eval/results.json").read_text())
    assert "WHERE THE POINTS GO at tIoU 0.5" in done.stdout and "WHICH STAGE COSTS" in done.stdout
    assert all(f"{kind}" in done.stdout for kind in KINDS) and made["advice"] in done.stdout
    assert [row["name"] for row in made["stages"]] == [*NAMES, "classes of the whole video"]
    assert not any(row["note"] for row in made["stages"])
    task = made["errors"]["tasks"]["mAP"]
    assert task["map"] == pytest.approx(written["tasks"]["mAP"]["map"][0])
    assert sum(group["segments"] for group in task["by_length"]) == sum(
        group["segments"] for group in task["by_class"]
    )


def test_it_is_made_once_and_again_where_its_inputs_are_others(data, run):
    assert tada("eval", *options(data, run), "--why").exit_code == 0
    path = run / "eval/why.json"
    first, before = path.read_bytes(), path.stat().st_mtime_ns
    assert tada("eval", *options(data, run), "--why").exit_code == 0
    assert path.stat().st_mtime_ns == before
    assert tada("eval", *options(data, run), "--why", "--at", "0.7").exit_code == 0
    assert why(run)["errors"]["at"] == 0.7
    other = options(data, run, "proposals.count=3")
    assert tada("eval", *other, "--why").exit_code == 0
    fewer = why(run)
    counts = fewer["errors"]["tasks"]["mAP"]
    assert counts["detections"] < json.loads(first)["errors"]["tasks"]["mAP"]["detections"]
    path.write_text('{"form": 1, "inputs": ')
    assert tada("eval", *other, "--why").exit_code == 0
    assert why(run) == fewer
    assert tada("eval", *options(data, run), "--why").exit_code == 0
    assert path.read_bytes() == first


def test_each_oracle_is_scored_as_detections_are(data, run):
    assert tada("eval", *options(data, run), "--why").exit_code == 0
    made, own = why(run), run_of(run)
    truth = own.dataset.rows("validation")
    table = with_true_classes(
        read_proposals(run / "bmn/proposals", own.dataset, "validation"), truth
    )
    wanted = 100 * detection_map(truth, table, own.detection.eval.iou).average
    assert average(made, "true classes") == pytest.approx(wanted)
    assert average(made, "before NMS") >= average(made, "nearest kept") - 1e-9
    for row in made["stages"]:
        results = json.loads((run / "eval/results.json").read_text())["tasks"]["mAP"]
        task = row["tasks"]["mAP"]
        assert task["gain"] == pytest.approx(task["average"] - results["average"])
        assert task["average"] == pytest.approx(np.mean(task["map"]))


def test_decoded_clips_and_stored_features_where_videos_are_gone(data, run, tmp_path, monkeypatch):
    """Classes on true segments are looked for as the run looks for them."""
    own = shutil.copytree(data, tmp_path / "data")
    line = options(own, run, "classify.source=video", "classify.positions=1")
    assert tada("eval", *line, "--why").exit_code == 0
    made = why(run)
    assert not next(row for row in made["stages"] if row["name"] == "true segments")["note"]
    assert {path.suffix for path in (run / "eval/why/videos").iterdir()} == {".npz"}
    (run / "eval/why.json").unlink()
    nothing = "pipeline.tools.why.classes.outcomes"  # what is kept is not decoded again
    monkeypatch.setattr(nothing, lambda *_, **__: iter(()))
    assert tada("eval", *line, "--why").exit_code == 0
    assert why(run) == made
    (run / "eval/why.json").unlink()
    shutil.rmtree(run / "eval/why")
    for path in (own / "videos").glob("validation_*"):
        path.rename(tmp_path / path.name)
    found = oracles.oracles(run_of(run), run_of(run).dataset.rows("validation"))
    note = {one.name: one.note for one in found}["true segments"]
    assert "stored features" in note and "missing" in note


def test_a_folder_that_cannot_be_written_is_only_read(data, run, monkeypatch):
    def refused(*_):
        raise OSError(30, "Read-only file system")

    assert tada("eval", *options(data, run)).exit_code == 0
    monkeypatch.setattr(analysis, "write_json", refused)
    done = tada("eval", *options(data, run), "--why")
    assert done.exit_code == 0 and "not kept" in done.output and "WHICH STAGE" in done.output


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    return separable.make_data(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(
    "ways",
    [
        ("scores",),
        ("finetune.source=features", "classify.mode=proposal"),
        ("finetune.source=features", "classify.mode=video"),
    ],
)
def test_imported_features_with_given_scores_and_with_a_linear_classifier(
    features, tmp_path, monkeypatch, ways
):
    monkeypatch.setattr(proposals, "propose_video", right_proposals(features))
    run = tmp_path / "run"
    assert take(features, run).exit_code == 0
    extra = [f"classify.scores={write_scores(features)}"] if ways == ("scores",) else list(ways)
    line = separable.options(features, run, *extra)
    assert tada("run", *line).exit_code == 0
    done = tada("eval", *line, "--why")
    assert done.exit_code == 0, done.output
    made = why(run)
    assert average(made, "true classes") == 100 == average(made, "true segments")
    other = made["stages"][-1]
    if ways == ("scores",):
        assert not other["tasks"] and "classify.scores" in other["note"]
    else:
        named = "each proposal" if "video" in ways[1] else "the whole video"
        assert other["tasks"] and other["name"] == f"classes of {named}"


def test_files_of_anyone_have_error_types_alone(features, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [
        {"label": CLASSES[number % 3], "score": 0.9 - number / 10, "segment": [2, 7 - number]}
        for number in range(3)
    ]
    (tmp_path / "a.json").write_text(json.dumps({"results": dict.fromkeys(VALIDATION, rows)}))
    line = [str(tmp_path / "a.json"), "--config", "hacs", "--annotations", str(features / "annotations.json"),
            "--set", "dataset.classes=null", "--why"]  # fmt: skip
    done = tada("score", *line, "--json", str(tmp_path / "why.json"))
    assert done.exit_code == 0, done.output
    made = json.loads((tmp_path / "why.json").read_text())["why"]
    assert made["stages"] == [] and "only for a run" in done.output
    assert sum(made["errors"]["tasks"]["mAP"]["counts"].values())
    same = tada("eval", "--detections", *line)
    assert same.exit_code == 0 and same.stdout == done.stdout
    pd.DataFrame({"video": VALIDATION, "start": 0, "end": 1, "score": 0.5}).to_csv(
        "p.csv", index=False
    )
    refused = tada("score", str(tmp_path / "p.csv"), *line[1:])
    assert refused.exit_code == 1 and "holds proposals" in error_line(refused)


@pytest.mark.parametrize("kept", [1, 2])
def test_only_classes_that_lose_points_are_named(tmp_path, monkeypatch, kept):
    monkeypatch.chdir(tmp_path)
    rows = ["a,1,4,x", "a,6,9,y"]
    for name, head, lines in (
        ("truth.csv", "subset", [f"{row},validation" for row in rows]),
        ("found.csv", "score", [f"{row},0.9" for row in rows[:kept]]),
    ):
        (tmp_path / name).write_text("\n".join([f"video,start,end,label,{head}", *lines, ""]))
    done = tada("score", "found.csv", "--config", "small", "--annotations", "truth.csv", "--why")
    assert done.exit_code == 0, done.output
    said = [
        line for line in done.stdout.splitlines() if line.startswith("classes that lose the most")
    ]
    assert said == ["classes that lose the most AP to one kind: y 100.0 (missed)"][: 2 - kept]


@pytest.mark.parametrize("line", [["score", "found.csv"], ["eval"]])
def test_a_tiou_without_why_is_refused(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = tada(*line, "--config", "small", "--annotations", "truth.csv", "--at", "0.75")
    assert done.exit_code == 2 and "add --why" in error_line(done)


def test_verbs_and_nouns_are_tasks_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    heading = "video_id,start_timestamp,stop_timestamp,verb_class,noun_class"
    rows = [f"P01_01,00:00:0{n}.00,00:00:0{n + 1}.00,{n % 2},{n}" for n in range(1, 6)]
    (tmp_path / "truth.csv").write_text("\n".join([heading, *rows, ""]))
    entries = [
        {
            "verb": verb,
            "noun": noun,
            "action": f"{verb},{noun}",
            "score": 0.5 + noun / 100,
            "segment": [start, start + 1],
        }
        for start, verb, noun in ((1, 1, 1), (2, 0, 5), (3, 0, 3), (4.3, 0, 4))
    ]
    head = {
        "version": "0.2",
        "challenge": "action_detection",
        "sls_pt": 2,
        "sls_tl": 3,
        "sls_td": 3,
    }
    (tmp_path / "found.json").write_text(json.dumps(head | {"results": {"P01_01": entries}}))
    line = [
        "score",
        "found.json",
        "--config",
        "ek100",
        "--annotations",
        "truth.csv",
        "--why",
        "--json",
        "made.json",
    ]
    done = tada(*line, "--set", "dataset.classes=null", "--set", "dataset.video_info=null")
    assert done.exit_code == 0, done.output
    made = json.loads((tmp_path / "made.json").read_text())["why"]["errors"]["tasks"]
    assert list(made) == ["action", "verb", "noun"]
    # The second is a wrong action and noun with the right verb; the third has the right noun alone.
    assert (
        made["verb"]["right"] == 3 and made["noun"]["right"] == 3 and made["action"]["right"] == 2
    )
    assert made["noun"]["counts"]["wrong label"] == 1 and made["verb"]["counts"]["wrong label"] == 1
    assert all(name in done.stdout for name in ("action mAP", "verb mAP", "noun mAP"))
