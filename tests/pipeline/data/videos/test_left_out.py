"""Videos a stage leaves out: each counted once, listed, remembered, and refused where too many."""

from __future__ import annotations

import pytest

from pipeline.data.names import skipped_ids
from pipeline.data.videos.failures import FAILURES, Failure, read_failures
from pipeline.data.videos.left_out import NO_FEATURES, NOT_THERE, LeftOut, shown
from pipeline.errors import UsageError, UserError


def skip_file(folder, text):
    path = folder / "skip.txt"
    path.write_text(text)
    return path


def test_each_kind_is_counted_once_and_named(tmp_path):
    skip = skip_file(tmp_path, "skipped\n")
    left_out = LeftOut("extract", tmp_path, allowed=3, skip=skip)
    for _ in range(2):
        assert left_out.without_skipped(["a", "skipped", "a", "b"]) == ["a", "b"]
        left_out.not_there(["gone"], 5, tmp_path)
        left_out.without_features(["bare"], tmp_path, ["bare"])
        left_out.failed("bad", "no frames")
    assert left_out.names == ["bad", "bare", "gone", "skipped"]
    assert left_out.reasons == {"gone": NOT_THERE, "bare": NO_FEATURES, "bad": "no frames"}
    assert left_out.summary() == {"left_out": left_out.names, "skipped": 1}
    left_out.settle()
    # What has no features failed in another stage, and is listed there.
    assert read_failures(tmp_path) == {
        "bad": Failure("no frames", 1),
        "gone": Failure(NOT_THERE, 1),
    }


def test_each_is_said_once(tmp_path, capsys):
    left_out = LeftOut("extract", allowed=9, skip=skip_file(tmp_path, "s\n"))
    for _ in range(2):
        left_out.without_skipped(["s", "a"])
        left_out.failed("bad", "no frames")
        left_out.without_features(["bare"], tmp_path, ["bare"])
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"extract: 1 videos of {tmp_path / 'skip.txt'} are left out: s",
        "extract: video bad failed: no frames",
        "1 videos have no features and count as having no detections: bare",
    ]


def test_at_once_one_too_many_ends_the_stage_where_it_fails(tmp_path, capsys):
    left_out = LeftOut("finetune", tmp_path, allowed=1, at_once=True)
    left_out.failed("a", "no frames")
    assert "finetune: video a is left out: no frames" in capsys.readouterr().err
    with pytest.raises(UserError, match="video b: cut off; fix it, .*--allow-failures 2"):
        left_out.failed("b", "cut off")
    # The one that ended it was not left out of any result.
    assert read_failures(tmp_path) == {
        "a": Failure("no frames", 1),
        "b": Failure("cut off", 1, left_out=False),
    }


def test_else_when_all_were_tried(tmp_path):
    left_out = LeftOut("extract", tmp_path, allowed=1)
    for video in ("c", "a", "b", "d"):
        left_out.failed(video, f"reason {video}")
    with pytest.raises(UserError) as caught:
        left_out.settle()
    said = caught.value.message
    assert "extract: 4 videos failed (a: reason a; b: reason b; c: reason c)" in said
    assert str(tmp_path / FAILURES) in said and "--allow-failures 4" in said
    assert list(read_failures(tmp_path)) == ["a", "b", "c", "d"]


def test_missing_videos_are_refused_before_anything_is_read(tmp_path):
    left_out = LeftOut("extract", tmp_path, allowed=1)
    with pytest.raises(UserError, match=r"2 of 7 videos are missing \(a, b\); a hint; add them"):
        left_out.not_there(["a", "b"], 7, tmp_path / "videos", "a hint; ")
    assert left_out.names == [] and not (tmp_path / FAILURES).exists()


def test_skipped_ones_are_the_users_wish_and_count_for_nothing(tmp_path):
    left_out = LeftOut("extract", tmp_path, skip=skip_file(tmp_path, "a\nb\n"))
    assert left_out.without_skipped(["a", "b", "c"]) == ["c"]
    left_out.settle()
    assert left_out.summary() == {"left_out": ["a", "b"], "skipped": 2}
    assert not (tmp_path / FAILURES).exists()


def test_attempts_count_on_from_run_to_run_and_what_was_fixed_is_forgotten(tmp_path):
    for attempts in (1, 2, 3):
        left_out = LeftOut("extract", tmp_path, allowed=2)
        left_out.failed("bad", f"reason {attempts}")
        if attempts == 1:
            left_out.failed("fixed later", "cut off")
        left_out.settle()
        assert read_failures(tmp_path)["bad"] == Failure(f"reason {attempts}", attempts)
    assert list(read_failures(tmp_path)) == ["bad"]
    LeftOut("extract", tmp_path).settle()
    assert not (tmp_path / FAILURES).exists()


def test_a_run_that_is_stopped_keeps_what_those_before_it_listed(tmp_path):
    first = LeftOut("extract", tmp_path, allowed=9)
    first.failed("old", "cut off")
    first.settle()
    LeftOut("extract", tmp_path, allowed=9).failed("new", "no frames")  # and no settle
    assert read_failures(tmp_path) == {"new": Failure("no frames", 1), "old": Failure("cut off", 1)}


def test_a_resumed_training_remembers_what_it_went_without(tmp_path):
    first = LeftOut("finetune", tmp_path, allowed=2, at_once=True)
    first.not_there(["gone"], 9, tmp_path)
    first.failed("bad", "cut off")
    with pytest.raises(UserError):
        first.failed("worse", "no frames")
    second = LeftOut("finetune", tmp_path, allowed=2, at_once=True)
    second.remember()
    # Not the one that ended it, nor what may be there by now.
    assert second.names == ["bad"]
    second.settle()
    assert read_failures(tmp_path) == {"bad": Failure("cut off", 1)}, "remembered is not tried"
    third = LeftOut("finetune", tmp_path, allowed=2, at_once=True)
    third.remember()
    third.failed("bad", "cut off")
    third.settle()
    assert read_failures(tmp_path) == {"bad": Failure("cut off", 2)}


def test_what_is_skipped_or_gone_by_now_is_not_remembered_as_failed(tmp_path):
    first = LeftOut("finetune", tmp_path, allowed=2, at_once=True)
    first.failed("skipped", "cut off")
    first.failed("gone", "cut off")
    (tmp_path / "skip.txt").write_text("skipped\n")
    second = LeftOut("finetune", tmp_path, allowed=1, skip=tmp_path / "skip.txt", at_once=True)
    assert second.without_skipped(["skipped", "gone", "here"]) == ["gone", "here"]
    second.not_there(["gone"], 2, tmp_path)
    second.remember()
    assert second.reasons == {"gone": NOT_THERE} and second.names == ["gone", "skipped"]
    second.settle()


def test_remembered_ones_count_against_what_is_allowed(tmp_path):
    first = LeftOut("finetune", tmp_path, allowed=1, at_once=True)
    first.failed("a", "cut off")
    second = LeftOut("finetune", tmp_path, allowed=1, at_once=True)
    second.remember()
    with pytest.raises(UserError, match="video b"):
        second.failed("b", "cut off")


def test_what_hangs_is_read_no_more(tmp_path):
    left_out = LeftOut("finetune", tmp_path, allowed=1, at_once=True)
    left_out.give_up("a", "hangs")
    left_out.failed("a", "another reason")
    assert left_out.given_up == {"a": "hangs"} and left_out.reasons == {"a": "hangs"}


def test_others_failures_are_taken_in(tmp_path):
    left_out = LeftOut("extract", tmp_path, allowed=3)
    left_out.failed("a", "mine")
    left_out.merge([{"a": "mine"}, {"b": "theirs"}])
    assert left_out.reasons == {"a": "mine", "b": "theirs"}
    left_out.settle()
    assert {name: row.attempts for name, row in read_failures(tmp_path).items()} == {"a": 1, "b": 1}


def test_together_they_may_be_too_many(tmp_path):
    left_out = LeftOut("finetune", tmp_path, allowed=1, at_once=True)
    left_out.failed("a", "mine")
    with pytest.raises(UserError, match="--allow-failures 2"):
        left_out.merge([{"a": "mine"}, {"b": "theirs"}])
    alone = LeftOut("finetune", tmp_path, at_once=True)
    alone.merge([{}, {}])
    assert alone.names == []


def test_faults_found_all_at_once_are_counted(tmp_path, capsys):
    left_out = LeftOut("import-features", tmp_path, allowed=2)
    left_out.take({"a": "with NaN", "b": "missing"})
    left_out.settle()
    assert list(read_failures(tmp_path)) == ["a", "b"] and capsys.readouterr().err == ""


def test_without_a_folder_or_where_another_process_writes_there_is_no_list(tmp_path):
    nowhere = LeftOut("doctor", allowed=1)
    nowhere.failed("a", "cut off")
    nowhere.settle()
    follower = LeftOut("extract", tmp_path, allowed=1, writes=False)
    follower.failed("a", "cut off")
    follower.settle()
    assert follower.names == ["a"] and not (tmp_path / FAILURES).exists()
    nowhere.failed("b", "no frames")
    with pytest.raises(UserError, match="doctor: 2 videos failed") as caught:
        nowhere.settle()
    assert "listed in" not in caught.value.message


def test_a_skip_file_is_ids_comments_and_empty_lines(tmp_path):
    path = tmp_path / "skip.txt"
    path.write_text("\ufeffa\n\n # not this\n#nor this\n  b c \r\n", encoding="utf-8")
    assert skipped_ids(path) == {"a", "b c"}
    assert skipped_ids(None) == frozenset()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_skip_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "skip.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"skip\.txt: cannot be read .*--skip") as caught:
        LeftOut("extract", skip=path).without_skipped(["a"])
    assert caught.value.exit_code == 2


def test_a_few_are_shown():
    assert shown(["a", "b"]) == "a, b" and shown(list("abcdef")) == "a, b, c, d, e, ..."


def test_skipped_ids_have_one_form_and_may_be_names_of_files(tmp_path):
    path = tmp_path / "skip.txt"
    path.write_text("cafe\u0301\nv00.MP4\nclip.v2\n", encoding="utf-8")
    assert skipped_ids(path) == {"caf\u00e9", "v00.MP4", "v00", "clip.v2"}
