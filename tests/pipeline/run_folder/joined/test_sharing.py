"""Work that is shared: each video once, what all recorded read by all, sections one at a time."""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.errors import UserError
from pipeline.run_folder.identity import FileRecord
from pipeline.run_folder.joined import sharing
from pipeline.run_folder.joined.journals import Journals, append_line, journal_path
from pipeline.run_folder.joined.members import WORK, Member
from pipeline.run_folder.joined.seen import workers_in
from pipeline.run_folder.joined.sharing import at_work, require_same
from pipeline.run_folder.joined.todo import Todo
from pipeline.run_folder.ledger import Ledger, Made, fold, plain


def made(video: str) -> Made:
    return Made(video=video, by="by", of="of", file=FileRecord(1, 2, "f"), content="c")


def test_members_make_each_video_once_and_all_see_all(tmp_path):
    videos = [f"v{number}" for number in range(60)]
    done = []

    def work(place):
        with at_work(tmp_path) as work:
            todo = Todo(work, videos[place:] + videos[:place])
            for claim in todo.each():
                done.append(claim.name)
                if claim.name == "v7":
                    work.fail("v7", {"reason": "bad"})
                else:
                    work.note(plain(made(claim.name)))
                work.claims.release(claim)
            work.look()
            return set(work.made), set(work.failed), len(Ledger(tmp_path).lines)

    with ThreadPoolExecutor(4) as pool:
        for found, failed, lines in pool.map(work, (0, 20, 40, 55)):
            assert found == set(videos) - {"v7"} and failed == {"v7"} and lines == 59
    assert sorted(done) == sorted(videos)


def test_what_others_failed_at_meanwhile_is_not_tried(tmp_path):
    with at_work(tmp_path) as one, at_work(tmp_path) as two:
        todo = Todo(two, ["a", "b"])
        one.fail("a", {"reason": "bad"})
        claim = todo.free()
        assert claim.name == "b" and not list((tmp_path / f"{WORK}/claims").iterdir())[1:]
        todo.back("b")
        two.claims.release(claim)
        assert todo.free().name == "b"


def test_how_many_are_done_is_of_all_since_it_began(tmp_path):
    with at_work(tmp_path) as one, at_work(tmp_path) as two:
        one.note(plain(made("before")))
        one.note(plain(made("a")))
        todo = Todo(two, ["a", "b", "c"])
        assert todo.done == 1
        one.fail("b", {"reason": "bad"})
        for claim in todo.each():
            two.note(plain(made(claim.name)))
            two.claims.release(claim)
        assert todo.done == 3


def test_a_line_that_a_full_disk_took_half_of_is_said(tmp_path, monkeypatch):
    path = journal_path(tmp_path, "host-1-00000000")
    append_line(path, {"video": "a"})
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:9]))
    with pytest.raises(UserError, match="No space left on device"):
        append_line(path, {"video": "b"})
    monkeypatch.undo()
    append_line(path, {"video": "c"})
    assert [line["video"] for line in Journals(tmp_path).news()] == ["a", "c"]


def test_a_journal_is_read_on_and_a_line_cut_off_is_none(tmp_path):
    path = journal_path(tmp_path, "host-1-00000000")
    journals = Journals(tmp_path)
    append_line(path, {"video": "a"})
    assert [line["video"] for line in journals.news()] == ["a"]
    with path.open("a") as stream:
        stream.write('\n{"video": "b')
    assert not list(journals.news())
    append_line(path, {"video": "c"})
    assert [line["video"] for line in journals.news()] == ["c"]


def test_journals_count_in_the_ledger_and_are_put_into_it(tmp_path):
    Ledger(tmp_path).note(made("a"))
    Ledger(tmp_path, journal_path(tmp_path, "host-1-00000000")).note(made("b"))
    assert set(Ledger(tmp_path).lines) == {"a", "b"}
    fold(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "videos.jsonl").read_text().splitlines()]
    assert [row["video"] for row in rows] == ["a", "b"] and not (tmp_path / WORK).exists()


def test_a_section_is_one_members_at_a_time(tmp_path, monkeypatch):
    """Also where members come and leave all the time: what was read of a claim may be over when it is acted on."""
    monkeypatch.setattr(sharing, "ASK_SECONDS", 0.002)

    def enter(_):
        with at_work(tmp_path) as work, work.section("opening"):
            (tmp_path / "inside").touch(exist_ok=False)
            time.sleep(0.001)
            (tmp_path / "inside").unlink()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(enter, range(300)))
    assert list(tmp_path.iterdir()) == []


def test_others_with_other_settings_are_named(tmp_path):
    with at_work(tmp_path) as one, at_work(tmp_path) as two:
        assert two.others() == []  # it has come and not begun
        one.member.sign(by="these")
        require_same(two.others(), "these", tmp_path)
        with pytest.raises(UserError, match=r"process \d+ on .* at work here with other settings"):
            require_same(two.others(), "those", tmp_path)
    assert not (tmp_path / WORK).exists(), "the reader has gone"


def test_the_work_that_another_ends_is_over(tmp_path):
    with at_work(tmp_path) as one, at_work(tmp_path) as two:
        todo = Todo(two, ["a"])
        held = one.claim("a")
        assert held is not None and todo.free() is None and not todo.over
        thread = threading.Thread(target=lambda: (time.sleep(0.05), one.remove()))
        thread.start()
        assert list(todo.each()) == [] and todo.over
        thread.join()
    assert not list(tmp_path.iterdir())


def test_who_is_at_work_is_seen_from_outside(tmp_path, monkeypatch):
    assert workers_in(tmp_path) == []
    with at_work(tmp_path) as one, at_work(tmp_path) as two:
        for member in (one.member, two.member):
            member.sign(by="x", shard="0/2" if member is one.member else "", total=4)
        one.note(plain(made("a")))
        one.claim("b")
        seen = {worker.note.shard: worker for worker in workers_in(tmp_path)}
        assert (seen["0/2"].made, seen["0/2"].holds, seen["0/2"].gone) == (1, ("b",), False)
        assert seen["0/2"].told.endswith("shard 0/2: 1 videos made, makes b now")
        monkeypatch.setattr("pipeline.run_folder.joined.seen.is_gone", lambda pid, seen: True)
        assert all(" has ended: " in worker.told for worker in workers_in(tmp_path))


def test_a_finished_works_folder_is_no_ones_who_comes_then(tmp_path):
    """The last one's removal takes nothing of a process that comes at that moment."""
    with at_work(tmp_path) as one:
        late = Member(tmp_path)
        late.come()
        one.remove()
        assert late.look()
        late.come()
        assert not late.look()
        late.leave()
