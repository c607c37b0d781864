"""Result files read in small pieces are what they are read whole, and so is what is wrong with them."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import SubmissionError, json_stream, result_entries, submission
from evaluation.json_stream import JSONStream, NotJSONError

LABELS = ["run", "日本 \U0001f600", "a}]b", 'q"\\ ', "\u2028"]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def stream(content):
    return JSONStream(io.BytesIO(content).read)


def whole_value(content):
    found = stream(content)
    value = found.value()
    found.end()
    return value


def told(read):
    """A table, or what is reported instead of it."""
    try:
        return read()
    except SubmissionError as error:
        return str(error)


def content(videos=4, rows=30, seed=0, **more):
    rng = np.random.default_rng(seed)
    results = {}
    for video in range(videos):
        start = rng.random(rng.integers(0, rows))
        results[f"v_{video}"] = [
            {"label": LABELS[int(9 * s) % 5], "score": 1 - s, "segment": [s, s + 1]} | more
            for s in start.tolist()
        ]
    return {"external_data": {"used": False, "results": [{}]}, "results": results, "version": "1"}


@settings(max_examples=80, deadline=None)
@given(values, st.sampled_from([1, 7, 70]), st.sampled_from([None, 1]), st.booleans())
def test_values_are_those_of_json(value, piece, indent, escaped):
    text = json.dumps(value, indent=indent, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "PIECE", piece)
        found = stream(text)
        assert found.value() == json.loads(text)
        found.end()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([*'[]{},:"9-e\\N ', "", None]), st.integers(70, 400))
def test_what_is_wrong_is_said_as_json_says_it(place, sign, piece):
    text = json.dumps(content(), indent=1 if place % 2 else None)
    place %= len(text)
    broken = (text[:place] if sign is None else text[:place] + sign + text[place + 1 :]).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "PIECE", piece)
        try:
            wanted = json.loads(broken)
        except json.JSONDecodeError as error:
            with pytest.raises(NotJSONError) as caught:
                whole_value(broken)
            assert str(caught.value) == str(error)
        else:
            assert whole_value(broken) == wanted


@pytest.mark.parametrize("more", [{}, {"extra": {"a": [{}]}}, {"score": "0.5"}, {"score": 2}])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_does_not_depend_on_the_pieces(tmp_path, monkeypatch, more, encoding):
    path = tmp_path / "found.json"
    written = content(**more)
    written["results"]["v_1"][:2] = [{"label": "run", "score": "1e-1", "segment": ["0", 2]}] * 2
    path.write_text(json.dumps(written, ensure_ascii=False), encoding=encoding)
    whole = submission.read_activitynet(path)
    rows = [
        (v, *r["segment"], r["label"], r["score"])
        for v in written["results"]
        for r in written["results"][v]
    ]
    wanted = pd.DataFrame(rows, columns=list(whole.columns))
    numbers = {name: wanted[name].astype(float) for name in ("start", "end", "score")}
    pd.testing.assert_frame_equal(whole, wanted.assign(**numbers), check_exact=True)
    for piece, taken in ((64, 1), (500, 7), (3000, 40)):
        monkeypatch.setattr(json_stream, "PIECE", piece)
        monkeypatch.setattr(result_entries, "ROWS", taken)
        pd.testing.assert_frame_equal(submission.read_activitynet(path), whole, check_exact=True)


def test_a_file_without_labels_is_the_same_table_without_them(tmp_path, monkeypatch):
    path, written = tmp_path / "found.json", content()
    path.write_text(json.dumps(written))
    labelled = submission.read_activitynet(path)
    pd.testing.assert_frame_equal(submission.read_activitynet(path, proposals=True), labelled)
    for entries in written["results"].values():
        for entry in entries:
            del entry["label"]
    path.write_text(json.dumps(written))
    for taken in (1, 7, 1 << 15):
        monkeypatch.setattr(result_entries, "ROWS", taken)
        pd.testing.assert_frame_equal(
            submission.read_activitynet(path, proposals=True), labelled.drop(columns="label")
        )
    with pytest.raises(SubmissionError, match="no 'label'"):
        submission.read_activitynet(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": None}, "video v_3, row 21: score holds None"),
        ({"segment": [3, 2]}, "video v_3, row 21: segment [3.0, 2.0] does not have start <= end"),
        ({"score": float("nan")}, "video v_3, row 21: score is nan"),
        ({"label": 3}, "video v_3, row 21: label is 3; give a string"),
    ],
)
def test_a_bad_row_is_named_wherever_pieces_end(tmp_path, monkeypatch, change, message):
    path, written = tmp_path / "found.json", content(rows=5)
    written["results"]["v_3"] = content(1, 80, 1)["results"]["v_0"]
    assert len(written["results"]["v_3"]) > 30
    written["results"]["v_3"][21].update(change)
    path.write_text(json.dumps(written))
    for piece, taken in ((1 << 20, 1 << 15), (64, 1), (700, 6)):
        monkeypatch.setattr(json_stream, "PIECE", piece)
        monkeypatch.setattr(result_entries, "ROWS", taken)
        with pytest.raises(SubmissionError) as caught:
            submission.read_activitynet(path, zero_length=True)
        assert message in str(caught.value)


def test_rows_that_are_no_objects_are_named_among_those_that_are(tmp_path, monkeypatch):
    path, written = tmp_path / "found.json", content()
    written["results"]["v_2"][3] = "x"
    path.write_text(json.dumps(written))
    for piece in (64, 900, 1 << 20):
        monkeypatch.setattr(json_stream, "PIECE", piece)
        with pytest.raises(SubmissionError, match="video v_2, row 3: is 'x'; give an object"):
            submission.read_activitynet(path)


@pytest.mark.parametrize(
    ("begin", "between", "message"),
    [
        ("0, ", ", ", "video v, row 0: is 0; give an object"),
        ("0 ,", ", ", "video v, row 0: is 0; give an object"),
        ("", ".5, ", "is not JSON (Expecting ',' delimiter: line 1 column 61 (char 60))"),
        ("", "1, ", "is not JSON (Expecting ',' delimiter: line 1 column 61 (char 60))"),
    ],
)
def test_nothing_between_detections_is_passed_over(tmp_path, monkeypatch, begin, between, message):
    row = '{"label":"a","score":0.5,"segment":[1,2]}'
    path = tmp_path / "found.json"
    path.write_text(f'{{"results": {{"v": [{begin}{row}{between}{row}]}}}}')
    for piece in (1 << 20, 64, 70, 100):
        monkeypatch.setattr(json_stream, "PIECE", piece)
        with pytest.raises(SubmissionError) as caught:
            submission.read_activitynet(path)
        assert message in str(caught.value)


def test_lists_without_detections_are_read_without_a_look_at_those_behind_them():
    found, asked = stream(b'{"a": [], "b": [1], "c": ["}]"], "d": [{"a": 1}, {"a": 2}]}'), []
    found.peek()
    parts = {key: [*found.parts(asked.append)] for key in found.members()}
    assert parts == {"a": [[]], "b": [[1]], "c": [["}]"]], "d": [[{"a": 1}, {"a": 2}]]}
    assert asked == ['[{"a": 1}, {"a": 2}]']


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"results": {"a": [], "b": [], "a": []}}', "video a appears twice; give it once"),
        ('{"results": {}, "results": {}}', '"results" appears twice; give it once'),
        ('{"results": {}} x', "is not JSON (Extra data: line 1 column 17 (char 16))"),
        ("[]", 'no "results" of the form'),
        ("", "is not JSON (Expecting value: line 1 column 1 (char 0))"),
    ],
)
def test_other_forms_are_refused(tmp_path, text, message):
    path = tmp_path / "found.json"
    path.write_text(text)
    assert message in told(lambda: submission.read_activitynet(path))


def test_bytes_that_are_no_text_are_named_by_their_place(tmp_path, monkeypatch):
    path = tmp_path / "found.json"
    text = json.dumps(content()).encode()
    path.write_bytes(text[:1500] + b"\xff" + text[1500:])
    monkeypatch.setattr(json_stream, "PIECE", 400)
    said = told(lambda: submission.read_activitynet(path))
    assert "is not UTF-8 text ('utf-8' codec can't decode byte 0xff in position 1500: " in said
