"""Claims: one member holds a video, whoever dies holds nothing, and a process that slept too long knows it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.paths import code_paths

from pipeline.errors import UserError
from pipeline.run_folder import temporary
from pipeline.run_folder.joined import members as members_module
from pipeline.run_folder.joined.claims import Claims, holders
from pipeline.run_folder.joined.members import STALE_SECONDS, WORK, Member, members

ANOTHER_HOST = "far.1a2b-77-0011aabb"


@pytest.fixture
def come(tmp_path):
    """Members of one folder, each with its claims."""
    made = []

    def make() -> Claims:
        member = Member(tmp_path)
        member.come()
        made.append(member)
        return Claims(member)

    yield make
    for member in made:
        member.leave()


def of_a_dead_process(folder, name):
    """A claim of a process of this host that was killed."""
    script = (
        "import os, sys; from pathlib import Path; from pipeline.run_folder.joined.claims import Claims;"
        "from pipeline.run_folder.joined.members import Member; member = Member(Path(sys.argv[1])); member.come();"
        "assert Claims(member).take(sys.argv[2]); os.kill(os.getpid(), 9)"
    )
    line = [sys.executable, "-c", script, str(folder), name]
    assert subprocess.run(line, env=code_paths(), check=False).returncode == -9


def of_another_host(folder, claims, name, seconds):
    """A claim of a member of another host, last heard of this many seconds before this member."""
    claim = claims.take(name)
    path = folder / f"{WORK}/members" / f"{ANOTHER_HOST}.json"
    path.write_text('{"by": "x"}')
    own = (folder / f"{WORK}/members" / f"{claims.member.id}.json").stat().st_mtime
    os.utime(path, (own - seconds, own - seconds))
    for file in claim.folder.iterdir():
        file.write_text(file.read_text().replace(claims.member.id, ANOTHER_HOST))
    claims.held.clear()


@pytest.mark.parametrize("name", ["v", "CLASS/v", "V", "ä" * 200, "a\nb"])
def test_one_holds_a_video_until_it_is_released(come, name):
    one, two = come(), come()
    claim = one.take(name)
    assert claim is not None and claim.holds()
    assert two.take(name) is None and one.take(name) is None
    assert list(holders(one.member.folder.parent)) == [(name, one.member.id)]
    one.release(claim)
    assert not claim.holds()
    assert two.take(name) is not None


def test_names_that_differ_by_case_alone_are_two(come):
    claims = come()
    assert claims.take("a") is not None and claims.take("A") is not None


def test_what_a_killed_process_held_is_taken_over_by_one(tmp_path, come):
    of_a_dead_process(tmp_path, "v")
    found = [come() for _ in range(8)]
    start = threading.Barrier(8)

    def take(claims):
        start.wait()
        return claims.take("v")

    with ThreadPoolExecutor(8) as pool:
        taken = [claim for claim in pool.map(take, found) if claim is not None]
    assert [claim.generation for claim in taken] == [2]
    # released, it stays as what tells the first that it was taken over
    next(claims for claims in found if claims.held).release(taken[0])
    assert not list(holders(tmp_path))
    assert come().take("v").generation == 3


def test_many_that_take_at_once_never_hold_one_together(come):
    together, lock, most = [0], threading.Lock(), []

    def work(claims):
        for number in range(40):
            claim = claims.take(f"v{number % 3}")
            if claim is None:
                continue
            with lock:
                together.append(claim.name)
                most.append(together.count(claim.name))
            with lock:
                together.remove(claim.name)
            claims.release(claim)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, [come() for _ in range(4)]))
    assert set(most) == {1}


def test_another_hosts_is_taken_over_once_it_was_not_heard_of_for_long(tmp_path, come):
    claims = come()
    of_another_host(tmp_path, claims, "v", STALE_SECONDS - 5)
    assert claims.take("v") is None
    of_another_host(tmp_path, claims, "w", STALE_SECONDS + 5)
    assert claims.take("w").generation == 2


@pytest.mark.parametrize("skew", [-7200, 7200])
def test_the_clock_of_this_machine_does_not_count(tmp_path, come, monkeypatch, skew):
    claims, now = come(), temporary.time.time
    monkeypatch.setattr(temporary.time, "time", lambda: now() + skew)
    of_another_host(tmp_path, claims, "v", 30)
    assert claims.take("v") is None
    one = come().take("mine")
    assert one.holds() and claims.take("mine") is None


def test_a_process_that_was_suspended_and_taken_over_knows_it(come, monkeypatch):
    asleep, awake = come(), come()
    claim = asleep.take("v")
    monkeypatch.setattr(Member, "is_gone", lambda self, member, seen: member == asleep.member.id)
    other = awake.take("v")
    assert other.generation == 2 and other.holds() and not claim.holds()
    awake.release(other)
    assert not claim.holds()
    asleep.release(claim)
    # the first generation is free again, but not held by who makes it while a later one is
    other = awake.take("v")
    assert other.generation == 3 and come().take("v") is None


def test_a_claim_whose_maker_died_before_it_wrote_its_name_is_free_at_last(come, monkeypatch):
    claims = come()
    claim = claims.take("v")
    path = next(claim.folder.iterdir())
    path.write_text("")
    claims.held.clear()
    assert claims.take("v") is None
    before = path.stat().st_mtime - STALE_SECONDS - 60
    os.utime(path, (before, before))
    assert claims.take("v").generation == 2


def test_a_member_is_renewed_and_sees_that_its_file_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(members_module, "HEARTBEAT_SECONDS", 0.02)
    member = Member(tmp_path)
    member.come()
    path = tmp_path / f"{WORK}/members" / f"{member.id}.json"
    os.utime(path, (1, 1))
    while path.stat().st_mtime == 1:
        pass
    member.sign(by="settings", total=3)
    assert [(note.pid, note.by, note.total) for _, note, _ in members(tmp_path)] == [
        (os.getpid(), "settings", 3)
    ]
    path.unlink()
    while not member.over:
        pass
    member.come()
    assert not member.look()
    member.leave()
    assert not list(members(tmp_path))


def test_what_all_others_left_goes_but_for_what_is_held(tmp_path, come):
    of_a_dead_process(tmp_path, "v")
    of_a_dead_process(tmp_path, "section")
    claims = come()
    claim = claims.take("section")
    claims.clear()
    assert claim.generation == 2 and claim.holds()
    assert claims.take("v").generation == 1


def test_a_claim_that_cannot_be_written_is_none(tmp_path, come, monkeypatch):
    claims = come()

    def full(descriptor, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(UserError, match="No space left"):
            claims.take("v")
    assert come().take("v").generation == 1
