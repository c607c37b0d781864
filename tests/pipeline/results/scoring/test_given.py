"""Anyone's files, scored: the forms they come in, tables of our own, videos that are not evaluated."""

from __future__ import annotations

import gzip
import json
import unicodedata

import pandas as pd
import pytest
from helpers.small_runs import error_line, tada

SEGMENTS = {"a": [(10, 20, "x"), (40, 60, "y")], "b": [(5, 15, "x")], "c": []}
OK = {
    "a": [("x", 0.9, 10, 20), ("y", 0.8, 40, 60)],
    "b": [("x", 0.7, 5, 15)],
}  # fmt: skip
STRANGER = ("x", 0.95, 1, 2)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def truth(tmp_path, segments=SEGMENTS, name="gt.json", mark="", **change):
    database = {
        video: {
            "subset": "validation",
            "duration": 100.0,
            "annotations": [{"segment": [s, e], "label": label} for s, e, label in rows],
        }
        | change
        for video, rows in segments.items()
    }
    database["t"] = {"subset": "testing", "duration": 50.0, "annotations": []}
    path = tmp_path / name
    path.write_text(mark + json.dumps({"database": database}), encoding="utf-8")
    return path


def found(tmp_path, rows=OK, name="found.json"):
    results = {
        video: [{"label": x, "score": s, "segment": [a, b]} for x, s, a, b in entries]
        for video, entries in rows.items()
    }
    path = tmp_path / name
    path.write_text(json.dumps({"results": results}))
    return path


def score(file, annotations, *more, config="hacs"):
    line = ["--config", config, "--annotations", str(annotations), "--iou", "0.5,0.7"]
    return tada("score", str(file), *line, "--json", "numbers.json", *more)


def average(*arguments, **more):
    done = score(*arguments, **more)
    assert done.exit_code == 0, done.output
    with open("numbers.json", encoding="utf-8") as file:
        numbers = json.load(file)
    return numbers["tasks"]["mAP"]["average"], numbers, done.output


def test_a_byte_order_mark_no_duration_no_annotations_and_numbers_as_text_are_read(tmp_path):
    for number, change in enumerate(({}, {"duration": None})):
        path = truth(tmp_path, mark="\ufeff", name=f"{number}.json", **change)
        assert average(found(tmp_path), path)[0] == 100
    path = truth(tmp_path)
    content = json.loads(path.read_text())
    content["database"]["c"]["annotations"] = None
    path.write_text(json.dumps(content))
    text = {v: [(x, s, f"{a:.1f}", f" {b}e0 ") for x, s, a, b in rows] for v, rows in OK.items()}
    assert average(found(tmp_path, text), path)[0] == 100
    marked = found(tmp_path)
    marked.write_text("\ufeff" + marked.read_text(), encoding="utf-8")
    assert average(marked, path)[0] == 100


def test_an_unknown_video_without_detections_is_nothing(tmp_path):
    assert average(found(tmp_path, OK | {"zz": []}), truth(tmp_path))[0] == 100


@pytest.mark.parametrize(
    ("video", "said"), [("zz", "1 not annotated ('zz')"), ("t", "1 of subset 'testing' ('t')")]
)
def test_detections_of_videos_that_are_not_evaluated(tmp_path, video, said):
    path, annotations = found(tmp_path, OK | {video: [STRANGER]}), truth(tmp_path)
    line = error_line(score(path, annotations))
    assert said in line and "1 row of 1 video outside the 3 videos of subset 'validation'" in line
    assert "--unknown-videos count" in line and "--unknown-videos leave-out" in line
    assert ("dataset.eval_subset=testing evaluates that one" in line) == (video == "t")
    # the official rule: a false positive of its class, before its two true ones
    value, numbers, output = average(path, annotations, "--unknown-videos", "count")
    assert value == pytest.approx((100 + 100 * 2 / 3) / 2)
    assert said in output and "counted as false positives" in output
    assert numbers["unknown_videos"] == {"decision": "count", "videos": 1, "rows": 1}
    value, numbers, output = average(path, annotations, "--unknown-videos", "leave-out")
    assert value == 100 and said in output and "left out" in output
    assert numbers["unknown_videos"]["decision"] == "leave-out"


def test_near_misses_are_named_and_many_are_counted(tmp_path):
    strangers = {f"q{number}": [STRANGER] * 2 for number in range(9)} | {"A.mp4": [STRANGER]}
    line = error_line(
        score(found(tmp_path, {"A.mp4": [STRANGER]} | OK | strangers), truth(tmp_path))
    )
    assert (
        "19 rows of 10 videos" in line
        and "('A.mp4' ('a' without the ending?), 'q0', 'q1', ...)" in line
    )


def test_a_file_of_other_videos_alone_is_refused(tmp_path):
    path = found(tmp_path, {"zz": [STRANGER]})
    line = error_line(score(path, truth(tmp_path), "--unknown-videos", "leave-out"))
    assert "none of its videos is evaluated" in line


def test_ids_are_compared_in_nfc(tmp_path):
    apart, composed = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFD", "NFC"))
    annotations = truth(tmp_path, {apart: SEGMENTS["a"]})
    assert average(found(tmp_path, {composed: OK["a"]}), annotations)[0] == 100
    both = found(tmp_path, {composed: OK["a"], apart: OK["a"]})
    assert "appears twice" in error_line(score(both, annotations))


@pytest.mark.parametrize("option", ["runtime.skip=ids.txt", "runtime.allow_failures=3"])
def test_settings_that_do_nothing_here_are_refused(tmp_path, option):
    done = score(found(tmp_path), truth(tmp_path), option)
    assert done.exit_code == 2 and "has no effect when a file is scored" in done.output
    name = option.partition("=")[0].partition(".")[2].replace("_", "-")
    done = score(found(tmp_path), truth(tmp_path), f"--{name}", "3")
    assert done.exit_code == 2 and "No such option" in done.output


def test_detections_of_excluded_videos_are_left_out_and_said(tmp_path):
    path = found(tmp_path, OK | {"b": [STRANGER]})
    value, _, output = average(path, truth(tmp_path), "dataset.exclude_videos=[b, z]")
    assert value == 100 and "1 rows of videos in dataset.exclude_videos left out" in output


def test_ambiguous_segments_are_no_class_and_hide_false_positives(tmp_path):
    segments = SEGMENTS | {"b": [*SEGMENTS["b"], (30, 40, "Ambiguous")]}
    path = found(tmp_path, OK | {"b": [*OK["b"], ("x", 0.99, 35, 45)]})
    value, numbers, output = average(
        path, truth(tmp_path, segments), "eval.ignore_labels=[Ambiguous]"
    )
    assert value == 100 and set(numbers["tasks"]["mAP"]["per_class"]) == {"x", "y"}
    assert "1 detections overlap a segment of eval.ignore_labels" in output
    assert average(path, truth(tmp_path, segments))[0] < 100


def test_subsets_are_found_in_any_case(tmp_path):
    path = truth(tmp_path)
    path.write_text(path.read_text().replace('"validation"', '"Validation"'))
    assert average(found(tmp_path), path)[0] == 100


# Tables


def table(tmp_path, name="detections.csv", columns=("video", "start", "end", "label", "score")):
    rows = [(v, a, b, x, s) for v, entries in OK.items() for x, s, a, b in entries]
    frame = pd.DataFrame(rows, columns=["video", "start", "end", "label", "score"])[list(columns)]
    text = frame.to_csv(index=False)
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["detections.csv", "detections.csv.gz"])
def test_tables_of_detections_are_scored(tmp_path, name):
    value, numbers, _ = average(table(tmp_path, name), truth(tmp_path))
    assert value == 100 and numbers["ties"] == "stable"
    assert average(found(tmp_path), truth(tmp_path))[1]["ties"] == "official"
    assert average(found(tmp_path), truth(tmp_path), "--ties", "stable")[1]["ties"] == "stable"


def test_tables_of_proposals_give_average_recall(tmp_path):
    path = table(tmp_path, "proposals.csv", ("video", "start", "end", "score"))
    done = score(path, truth(tmp_path), "eval.proposals_at=[1, 2]")
    assert done.exit_code == 0, done.output
    with open("numbers.json", encoding="utf-8") as file:
        numbers = json.load(file)
    assert numbers["average_recall"] == {"1": pytest.approx(200 / 3), "2": 100.0}
    assert numbers["tasks"] == {}
    assert "AR@1 66.67  AR@2 100.00" in done.output
    assert (
        "AR@AN: recall by the AN best proposals of each video, by all of one that has fewer"
        in done.output
    )


def test_a_result_file_without_labels_is_of_proposals(tmp_path):
    """ActivityNet's proposal task: {VIDEO: [{score, segment}]}."""
    path = found(tmp_path)
    content = json.loads(path.read_text())
    for entries in content["results"].values():
        for entry in entries:
            del entry["label"]
    path.write_text(json.dumps(content))
    done = score(path, truth(tmp_path), "eval.proposals_at=[1, 2]")
    assert done.exit_code == 0, done.output
    assert "AR@1 66.67  AR@2 100.00" in done.output and "mAP" not in done.output
    content["results"]["b"][0]["label"] = "x"
    path.write_text(json.dumps(content))
    line = error_line(score(path, truth(tmp_path)))
    assert "found.json: video b, row 0: has a 'label', and the rows before it have none" in line
    content["results"]["a"][0]["label"] = "x"
    path.write_text(json.dumps(content))
    assert "video a, row 1: no 'label'" in error_line(score(path, truth(tmp_path)))


def test_epic_tables_need_verbs_and_nouns(tmp_path):
    head = "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\n"
    annotations = tmp_path / "validation.csv"
    annotations.write_text(head + "P01_01,00:00:01.00,00:00:03.00,1,2\n")
    path = tmp_path / "found.csv"
    path.write_text('video,start,end,label,score,verb,noun\nP01_01,1,3,"1,2",0.5,1,2\n')
    done = score(path, annotations, config="ek100")
    assert done.exit_code == 0 and "action" in done.output and "100.00" in done.output
    for rows, said in (
        ('video,start,end,label,score\nP01_01,1,3,"1,2",0.5\n', "no columns verb and noun"),
        (
            'video,start,end,label,score,verb,noun\nP01_01,1,3,"1,2",0.5,97,2\n',
            "classes are 0 to 96",
        ),
        (
            'video,start,end,label,score,verb,noun\nP01_01,1,3,"2,1",0.5,1,2\n',
            "label is '2,1'; give '1,2'",
        ),
        (
            'video,start,end,label,score,verb,noun\nP01_01,1,3,"1,2",0.5,x,2\n',
            "is not a table of detections",
        ),
    ):
        path.write_text(rows)
        assert said in error_line(score(path, annotations, config="ek100"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a table of detections"),
        (b"a,b\n1,2\n", "no column 'video'"),
        (b"video,start,end,label,score\na,5,1,x,0.5\n", "ends at 1.0 s, before its start 5.0 s"),
        (b"video,start,end,label,score\na,1,nan,x,0.5\n", "is not a table"),
        (b"video,start,end,label,score\na,1,2,x,high\n", "high"),
        (b"\xff\xfe\x00", "is not a table of detections"),
        (b"video,start,end,label,score\nzz,1,2,x,0.5\n", "1 not annotated ('zz')"),
    ],
)
def test_bad_tables_get_one_line(tmp_path, content, said):
    path = tmp_path / "found.csv"
    path.write_bytes(content)
    line = error_line(score(path, truth(tmp_path)))
    assert said in line and "found.csv" in line
    packed = tmp_path / "found.csv.gz"
    packed.write_bytes(gzip.compress(content))
    assert "found.csv.gz" in error_line(score(packed, truth(tmp_path)))
    packed.write_bytes(content + b"x")
    assert "found.csv.gz" in error_line(score(packed, truth(tmp_path)))


@pytest.mark.parametrize("level", [9, -1, True, "2", None])
def test_levels_of_supervision_are_0_to_5(tmp_path, level):
    head = "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\n"
    annotations = tmp_path / "validation.csv"
    annotations.write_text(head + "P01_01,00:00:01.00,00:00:03.00,1,2\n")
    content = {
        "version": "0.2",
        "challenge": "action_detection",
        "sls_pt": level,
        "sls_tl": 3,
        "sls_td": 3,
    }
    path = tmp_path / "epic.json"
    path.write_text(json.dumps(content | {"results": {}}))
    line = error_line(score(path, annotations, config="ek100"))
    assert f"sls_pt is {level!r}; give a level, 0 to 5" in line
    done = score(
        path, annotations, f"eval.sls={[level, 3, 3]}".replace("None", "null"), config="ek100"
    )
    assert done.exit_code == 2 and "eval.sls" in done.output


def test_subsets_told_beside_the_annotations(tmp_path):
    """MMAction2's files say no subsets: those of dataset.video_info are scored, not every fifth video."""
    entries = {
        video: {
            "duration_second": 100.0,
            "annotations": [{"segment": [s, e], "label": label} for s, e, label in SEGMENTS[video]],
        }
        for video in ("a", "b")
    }
    path = tmp_path / "anet_anno_action.json"
    path.write_text(json.dumps(entries))
    (tmp_path / "info.csv").write_text("video,subset\na,training\nb,validation\n")
    only = found(tmp_path, {"b": OK["b"]})
    done = score(only, path, "dataset.format=mmaction2", "dataset.video_info=info.csv")
    assert done.exit_code == 0, done.output
    outside = score(
        found(tmp_path), path, "dataset.format=mmaction2", "dataset.video_info=info.csv"
    )
    assert "of subset 'training' ('a')" in error_line(outside)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "video,start,end,score,label\na,10,20,0.9,x\na,1,2,nan,x\n",
            "row 1: score 'nan' is not a number",
        ),
        ("video,start,end,score,label\na,00:10,20,0.9,x\n", "row 0: start '00:10' is not a number"),
        ("video;start;end;score;label\na;10;20;0,9;x\n", "not separated by commas"),
        ("video\tstart\tend\tscore\tlabel\na\t1\t2\t0.9\tx\n", "not separated by commas"),
    ],
)
def test_the_cell_that_is_wrong_is_named(tmp_path, text, said):
    path = tmp_path / "found.csv"
    path.write_text(text)
    assert said in error_line(score(path, truth(tmp_path)))
