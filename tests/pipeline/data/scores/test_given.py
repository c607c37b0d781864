"""Class scores made elsewhere: every published form gives the same rows, and what is wrong is one line."""

from __future__ import annotations

import gzip
import json
import os

import numpy as np
import pandas as pd
import pytest

from pipeline.configuration.reading import find_config, load_config
from pipeline.data.annotations import Dataset
from pipeline.data.scores.given import NONE, scores_of
from pipeline.errors import UserError

CLASSES = ("Long jump", "shot put", "swim_fast")
A, B = [0.7, 0.2, 0.1], [0.0, 0.25, 0.75]
ROWS = {"v_a": A, "b": B}  # a is v_a in the file


def a_dataset(classes=CLASSES, videos=("a", "b")) -> Dataset:
    rows = [(video, "validation", 0.0, 1.0, label) for video in videos for label in classes[:3]]
    annotations = pd.DataFrame(rows, columns=["video", "subset", "start", "end", "label"])
    table = pd.DataFrame(
        [(v, "validation", 9.0, 30.0) for v in videos] + [("t", "training", 9.0, 30.0)],
        columns=["video", "subset", "duration", "fps"],
    )
    return Dataset(annotations, table, (tuple(classes),))


def read(path, **dataset):
    config = load_config(find_config("demo"), {"classify.scores": str(path)})
    return scores_of(config, a_dataset(**dataset))


def labelled(values, names=CLASSES):
    return list(zip(names, values, strict=True))


def as_objects(values):
    return [{"score": score, "label": label} for label, score in labelled(values)]


LIST = list(CLASSES)
FORMS = {
    "activitynet": {"results": ROWS, "class": LIST},
    "classes": {"results": ROWS, "classes": LIST},
    "in a list": {"results": {video: [row] for video, row in ROWS.items()}, "class": LIST},
    "no names": {"results": ROWS},
    "challenge": {"version": "V", "results": {v: as_objects(r) for v, r in ROWS.items()}},
    "pairs": {video: [list(pair) for pair in labelled(row)] for video, row in ROWS.items()},
    "mapping": {video: dict(labelled(row)) for video, row in ROWS.items()},
    "numbered pairs": {v: [[i, s] for i, s in enumerate(row)] for v, row in ROWS.items()},
    "numbered, other order": {
        "results": {v: [[i, s] for i, s in enumerate(row[::-1])] for v, row in ROWS.items()},
        "class": LIST[::-1],
    },
    "list of rows": [{"video": video, "pred_score": row} for video, row in ROWS.items()],
    "list of labels": [
        {"video": video, "label": label, "score": score}
        for video, row in ROWS.items()
        for label, score in labelled(row)
    ],
    "other order": {"results": {v: row[::-1] for v, row in ROWS.items()}, "class": LIST[::-1]},
    "names in another order, in a list beside": {
        "results": {v: {"labels": LIST[::-1], "scores": row[::-1]} for v, row in ROWS.items()}
    },
    "a list of such": [
        {"video": v, "label": LIST[::-1], "score": row[::-1]} for v, row in ROWS.items()
    ],
    "names by number": {
        "results": {v: row[::-1] for v, row in ROWS.items()},
        "class": {str(number): name for number, name in enumerate(LIST[::-1])},
    },
    "numbers by name": {
        "results": {v: row[::-1] for v, row in ROWS.items()},
        "class_to_idx": {name: 2 - number for number, name in enumerate(LIST)},
    },
    "files of videos": {"results": {"v_a.mp4": A, "b.webm": B}, "class": LIST},
    "spelled differently": {
        "results": ROWS,
        "class": ["long_jump", "Shot  Put", "swim-fast"],
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_json_forms_give_the_same_rows(tmp_path, form):
    (tmp_path / "scores.json").write_text(json.dumps(FORMS[form]))
    given = read(tmp_path / "scores.json")
    np.testing.assert_array_equal(given.rows["a"], A)
    np.testing.assert_array_equal(given.rows["b"], B)
    assert given.unscored == () and given.require_few(["a", "b"], 0) == []
    assert any(
        "spelled differently: 'long_jump' is 'Long jump'" in note for note in given.notes
    ) == (form == "spelled differently")
    assert any(
        "annotations' classes is used (0 Long jump, 1 shot put" in n for n in given.notes
    ) == (form in {"no names", "numbered pairs", "list of rows"})


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("heading", ["", "video,label,score", "x,Score,LABEL,video_id"])
def test_tables_give_the_same_rows(tmp_path, mark, heading):
    lines = []
    for video, row in ROWS.items():
        for label, score in labelled(row):
            text = f"{score}".replace(".", "," if mark == ";" else ".")
            cells = [video, label, text] if "x" not in heading else ["?", text, label, video]
            lines.append(mark.join(cells))
    text = "\r\n".join(([heading.replace(",", mark)] if heading else []) + lines + ["", mark * 2])
    (tmp_path / "scores.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    given = read(tmp_path / "scores.csv")
    np.testing.assert_array_equal(given.rows["a"], A)
    np.testing.assert_array_equal(given.rows["b"], B)


def test_a_packed_file_and_one_with_a_byte_order_mark(tmp_path):
    text = json.dumps(FORMS["activitynet"]).encode()
    (tmp_path / "scores.json.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + text))
    np.testing.assert_array_equal(read(tmp_path / "scores.json.gz").rows["a"], A)


def test_logits_become_probabilities_and_it_is_said(tmp_path):
    content = {"results": {"a": [[2.0, 1.0, -1.0]], "b": [[0.0, 0.0, 0.0]]}, "class": LIST}
    (tmp_path / "scores.json").write_text(json.dumps(content))
    given = read(tmp_path / "scores.json")
    powers = np.exp([2.0, 1.0, -1.0])
    np.testing.assert_allclose(given.rows["a"], powers / powers.sum(), rtol=1e-15)
    np.testing.assert_allclose(given.rows["b"], 1 / 3)
    assert "softmax" in given.notes[0]


def test_what_does_not_fit_is_counted_said_and_refused_unless_allowed(tmp_path):
    (tmp_path / "scores.csv").write_text("a,Long jump,0.5\na,dive,0.4\nelsewhere,shot put,1\n")
    given = read(tmp_path / "scores.csv")
    assert given.rows["a"].tolist() == [0.5, NONE, NONE] and set(given.rows) == {"a"}
    assert given.unscored == ("swim_fast",)
    assert "1 classes are not in the annotations and left out: dive" in given.notes
    assert "1 videos are not in the annotations and left out: elsewhere" in given.notes
    with pytest.raises(UserError) as error:
        given.require_few(["a", "b"], 1)
    said = error.value.message
    assert "no class scores of 1 of 2 videos (b)" in said and "1 classes" in said
    assert "swim_fast" in said and "dive" in said and "--allow-failures 2" in said
    assert given.require_few(["a", "b"], 2) == ["b"]


def test_a_video_has_other_content_where_its_scores_are_others_and_no_other(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"results": ROWS, "class": LIST}))
    before = read(path).digests
    path.write_text(json.dumps({"results": {**ROWS, "b": A}, "class": LIST}, indent=1))
    after = read(path).digests
    assert before["a"] == after["a"] and before["b"] != after["b"]


def test_a_file_that_is_as_it_was_is_read_once(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"results": ROWS, "class": LIST}))
    assert read(path) is read(path)


WRONG = {
    '{"results": {"a": [0.1, 0.2]}, "class": ["Long jump", "shot put", "swim_fast"]}': "2 scores",
    '{"results": {"a": [0.1, 0.2, 0.3, 0.4]}}': "4 scores, and the annotations have 3 classes",
    '{"results": {"a": [0.1, NaN, 0.3]}}': "NaN is not a score",
    '{"results": {"a": [0.1, 1e999, 0.3]}}': "not finite",
    '{"results": {"a": [0.1, true, 0.3]}}': "True is not a number",
    '{"results": {"a": [0.1, null, 0.3]}}': "None is not a number",
    '{"results": {"a": [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]}}': "neither a list of scores",
    '{"results": {"a": "x"}}': "neither a list of scores",
    '{"results": {"a": [["swim_fast", 0.1], ["swim_fast", 0.2]]}}': "has two scores",
    '{"results": {"a": [["swim_fast", -0.1]]}}': "give probabilities",
    '{"results": {"a": [[{}, 0.1]]}}': "neither a name nor the number",
    '{"results": {"a": [[3, 0.1]]}}': "not a class number",
    '{"results": {"a": [0.1, 0.2, 0.3]}, "class": ["x", "x", "y"]}': "appears twice",
    '{"results": {"a": [0.1, 0.2, 0.3]}, "class": ["x", 1, "y"]}': "is not a name",
    '{"results": {"a": [0.1, 0.2, 0.3], "v_a": [0.1, 0.2, 0.3]}}': "'a' and 'v_a' are both video a",
    '{"results": {"a": [0.1, 0.2, 0.3]}, "class": {"x": 1, "y": 2, "z": 3}}': "from 0",
    '{"results": {"a": [0.1, 0.2, 0.3]}, "class": "names.txt"}': "neither a list",
    '{"results": {"a": {"labels": ["shot put"], "scores": [0.1, 0.2]}}}': "1 labels and 2 scores",
    '{"results": {"a": [0.1, 0.2, 0.3], "a": [0.1, 0.2, 0.3]}}': "'a' appears twice",
    '{"results": {"a": [0.1, 0.2, 0.3], "b": [["swim_fast", 1]]}}': "of two forms",
    '{"results": {"a": [["swim-fast", 1], ["Swim fast", 1]]}}': "are both class 'swim_fast'",
    '{"results": {}}': "no class scores of any video",
    '{"results": 3}': "neither a list of scores",
    '[{"label": "x", "score": 1}]': "names no video",
    "[" * 100_000: "not valid JSON",
    "{": "not valid JSON",
    "a,b\n": "give video, label and score",
    "video,label,value\na,swim_fast,1\n": "no column score",
    "a,swim_fast,much\n": "line 1: score 'much' is not a number",
    "a,swim_fast,inf\n": "not finite",
    "a,swim_fast,1\na,swim_fast,1\n": "line 2: label 'swim_fast' has two scores",
    ",swim_fast,1\n": "no video",
    "": "no class scores of any video",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:60])
def test_what_is_wrong_is_one_line(tmp_path, text):
    path = tmp_path / "scores"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read(path)
    assert WRONG[text] in error.value.message and str(path) in error.value.message


@pytest.mark.parametrize("kind", ["missing", "a folder", "a pipe", "bytes"])
def test_what_is_no_file_of_text(tmp_path, kind):
    path = tmp_path / "scores.json"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "bytes":
        path.write_bytes(b"\x80\x81\xff")
    with pytest.raises(UserError, match=r"classify\.scores"):
        read(path)


def test_an_ambiguous_spelling_is_refused_with_both(tmp_path):
    (tmp_path / "scores.csv").write_text("a,SWIM fast,1\n")
    with pytest.raises(UserError, match="could be 'Swim fast' or 'swim_fast'"):
        read(tmp_path / "scores.csv", classes=("Swim fast", "swim_fast"))


def test_classes_that_are_called_by_numbers_are_names(tmp_path):
    (tmp_path / "scores.csv").write_text("a,1,0.9\na,2,0.1\nb,1,0.2\n")
    given = read(tmp_path / "scores.csv", classes=("1", "2"))
    assert given.rows["a"].tolist() == [0.9, 0.1]
