"""What processes settle about a batch: each has clips of it, and all have them in one shape."""

from __future__ import annotations

import pytest
import torch

from pipeline.data.clips import sharing
from pipeline.data.clips.sharing import trimmed, with_clips_for_all
from pipeline.errors import UserError
from pipeline.processes import distributed


def part(numbers, pieces=None):
    """What a process has read: clips that are the numbers, and where they are in the batch."""
    batch = {"names": [f"v{n}" for n in numbers], "pieces": pieces or [0] * len(numbers)}
    if numbers:
        batch["target"] = torch.tensor([[n] for n in numbers])
        batch["clip"] = torch.stack([torch.full((1, 3, 2, 2), n) for n in numbers])
    return batch


def shared(monkeypatch, parts, pieces=1):
    """What each process has of a batch, of which they have read these parts."""
    monkeypatch.setenv("WORLD_SIZE", str(len(parts)))
    monkeypatch.setattr(distributed, "any_rank", lambda _: any(not p["names"] for p in parts))
    monkeypatch.setattr(distributed, "gather_values", lambda _: parts)
    found = []
    for rank, own in enumerate(parts):
        monkeypatch.setenv("RANK", str(rank))
        found.append(with_clips_for_all(own, pieces))
    return found


def test_a_batch_of_which_all_have_clips_is_left_alone(monkeypatch):
    parts = [part([0, 1]), part([2])]
    assert all(a is b for a, b in zip(shared(monkeypatch, parts), parts, strict=True))


def test_a_process_that_could_read_none_gets_one_of_the_others_in_their_order(monkeypatch):
    found = shared(monkeypatch, [part([0, 1]), part([]), part([2])])
    assert [own["names"] for own in found] == [["v0"], ["v1"], ["v2"]]
    for number, own in enumerate(found):
        assert own["target"].tolist() == [[number]] and own["pieces"] == [0]
        assert torch.equal(own["clip"], torch.full((1, 1, 3, 2, 2), number))


def test_clips_stay_in_the_order_of_their_pieces(monkeypatch):
    found = shared(monkeypatch, [part([0, 1, 3], [0, 0, 1]), part([])], pieces=2)
    assert [own["names"] for own in found] == [["v0", "v1"], ["v3"]]
    found = shared(monkeypatch, [part([0, 1, 4], [0, 0, 1]), part([]), part([3, 5], [0, 1])], 1)
    assert [own["names"] for own in found] == [["v0", "v1"], ["v3", "v4"], ["v5"]]


@pytest.mark.parametrize(
    "parts, message",
    [
        ([part([])], "no clip of a whole batch could be read; fix the videos"),
        ([part([]), part([])], "no clip of a whole batch could be read; fix the videos"),
        ([part([4]), part([])], "1 clips of a batch could be read, too few for 2 processes; fix"),
    ],
)
def test_too_few_clips_are_refused(monkeypatch, parts, message):
    with pytest.raises(UserError, match=message):
        shared(monkeypatch, parts)


def test_clips_are_cut_once_to_the_narrowest_of_all_processes(monkeypatch):
    """Cut first to the narrowest of the process's own, they would lie a pixel aside."""
    frame = torch.arange(10).expand(1, 1, 8, 10)
    monkeypatch.setattr(sharing.distributed, "gather_values", lambda own: [own, [8, 8]])
    expected = frame[..., 1:9]
    assert torch.equal(trimmed(frame[None]), expected[None])
    assert torch.equal(trimmed([frame, frame[..., :9]])[0], expected)
    monkeypatch.setattr(sharing.distributed, "gather_values", lambda own: [own])
    assert torch.equal(trimmed(frame[None]), frame[None])
    assert trimmed([frame, frame[..., :9]]).shape == (2, 1, 1, 8, 9)
