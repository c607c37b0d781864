"""Devices that exist, and those that do not, in one line."""

from __future__ import annotations

import pytest
import torch
from helpers.threads import several_threads

from pipeline.errors import UserError
from pipeline.processes.device import autocast, one_thread, pick_device, share_cores


def test_an_unknown_device_is_one_line():
    for name in ("cuda:99", "gpu", "meta:x"):
        with pytest.raises(UserError, match="runtime.device") as caught:
            pick_device(name)
        assert "\n" not in caught.value.message
    assert pick_device("cpu").type == "cpu"


def test_products_are_computed_in_the_precision_that_is_asked_for():
    one = torch.ones(2, 2)
    for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with autocast(torch.device("cpu"), name):
            assert (one @ one).dtype is kind


@pytest.mark.parametrize("workers", [0, 2])
def test_a_core_is_left_to_data_loading_workers_unless_told_otherwise(monkeypatch, workers):
    threads = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(6), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    share_cores(torch.device("cpu"), workers)
    monkeypatch.delenv("OMP_NUM_THREADS")
    share_cores(torch.device("cuda"), workers)
    assert threads == []
    share_cores(torch.device("cpu"), workers)
    assert threads == [5 if workers else 6]


def test_threads_are_afterwards_as_before():
    with several_threads(2):
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
