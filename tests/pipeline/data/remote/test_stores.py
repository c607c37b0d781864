"""What stores say of files, in one way for all of them, and what goes wrong in one line."""

from __future__ import annotations

import pytest

from pipeline.data.remote import stores
from pipeline.data.remote.stores import StoreError, copy, facts_of, files_below, read_pieces


def test_a_listing_and_a_question_say_the_same(memory, web, tmp_path):
    server, folder = web
    (folder / "in").mkdir()
    for name in ("a.mp4", "in/b #1.mp4"):
        (folder / name).write_bytes(b"0123456789")
        memory.pipe(f"/d/{name}", b"0123456789")
    for url in ("memory://d", f"file://{folder}"):
        found = files_below(url)
        assert sorted(found) == ["a.mp4", "in/b #1.mp4"]
        for inside, facts in found.items():
            assert facts == facts_of(f"{url}/{inside}") and facts.size == 10
    listed = files_below(server.url)
    assert listed == {"a.mp4": None, "in/b%20%231.mp4": None}  # a page of links tells no more
    assert {facts_of(f"{server.url}/{inside}").size for inside in listed} == {10}
    copy(f"{server.url}/in/b%20%231.mp4", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"0123456789"
    for url in ("memory://d/a.mp4", f"file://{folder}/a.mp4", f"{server.url}/a.mp4"):
        assert read_pieces(url, [(0, 2), (3, 5), (9, 10)]) == [b"01", b"34", b"9"]


def test_another_version_has_other_facts(memory, web):
    server, folder = web
    (folder / "a").write_bytes(b"one")
    memory.pipe("/a", b"one")
    before = facts_of("memory://a"), facts_of(f"{server.url}/a")
    memory.pipe("/a", b"two")
    (folder / "a").write_bytes(b"three")
    after = facts_of("memory://a"), facts_of(f"{server.url}/a")
    assert before[0] != after[0] and before[1] != after[1]


def test_a_server_that_gives_no_parts_is_found_out_by_the_first(web):
    server, folder = web
    (folder / "a").write_bytes(b"0123456789")
    server.parts = False
    with pytest.raises(StoreError, match="does not support reading parts of files"):
        read_pieces(f"{server.url}/a", [(0, 2), (3, 5)])
    assert server.asked == [("GET", "/a")]


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(web):
    server, folder = web
    (folder / "a").write_bytes(b"0")
    server.busy = 2
    copy(f"{server.url}/a", folder / "b")
    assert len(server.asked) == 3
    server.asked.clear()
    server.refuses = True
    with pytest.raises(StoreError, match=r"/a: the store refuses .*docs/how-to/cloud.md") as caught:
        copy(f"{server.url}/a", folder / "b")
    assert len(server.asked) == 1 and not caught.value.unreachable
    server.refuses, server.busy = False, 9
    with pytest.raises(StoreError, match=r"/a: cannot be read") as caught:
        facts_of(f"{server.url}/a")
    assert caught.value.unreachable


@pytest.mark.parametrize("url", ["memory://none", "file:///none/at/all", "{web}/none"])
def test_what_is_not_there(web, memory, url):
    url = url.replace("{web}", web[0].url)
    for ask in (facts_of, files_below):
        with pytest.raises(StoreError, match=f"^{url}: no such f") as caught:
            ask(url)
        assert not caught.value.unreachable


def test_nobody_answers(web):
    url = web[0].url.rpartition(":")[0] + ":1"
    for ask in (facts_of, files_below):
        with pytest.raises(StoreError, match="Cannot connect") as caught:
            ask(f"{url}/a")
        assert caught.value.unreachable and "\n" not in str(caught.value)


def test_a_package_that_is_missing_is_named(monkeypatch):
    fsspec = pytest.importorskip("fsspec")

    def missing(protocol, **_):
        raise ImportError(f"Install what reads {protocol}")

    monkeypatch.setattr(fsspec, "filesystem", missing)
    for url, package in (("s3://a/b", "s3fs"), ("gs://a/b", "gcsfs"), ("abfs://a/b", "adlfs")):
        with pytest.raises(StoreError, match=f"not installed: pip install {package}$"):
            facts_of(url)


def test_a_listing_that_leads_out_is_refused(memory, monkeypatch):
    memory.pipe("/d/a", b"0")
    found = {"/d/../../etc/a": {"type": "file", "size": 1, "created": 1}}
    monkeypatch.setattr(type(memory), "find", lambda *_, **__: found)
    with pytest.raises(StoreError, match="is not in it"):
        files_below("memory://d")


def test_reasons_tell_no_token():
    error = PermissionError("403 https://cdn.example/a.mp4?X-Amz-Signature=secret was refused")
    assert "secret" not in stores._said(error) and "cdn.example/a.mp4?..." in stores._said(error)
