"""The benchmark on a GPU: its smallest form runs on the CPU."""

from __future__ import annotations

import json

import pytest
import torch
from click.testing import CliRunner

from benchmarks import gpu, gpu_extraction, gpu_threads


def test_gpu_script_says_that_it_needs_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = CliRunner().invoke(gpu.main, [])
    assert result.exit_code == 1 and "needs a CUDA GPU" in result.output


def test_gpu_script_runs_small_on_the_cpu(tmp_path):
    output = tmp_path / "gpu.json"
    result = CliRunner().invoke(gpu.main, ["--small", "--json", str(output)])
    assert result.exit_code == 0, result.output
    rates = json.loads(output.read_text())["rates"]
    assert all(rate["rate"] > 0 for rate in rates)
    assert {rate["stage"].split(",")[0] for rate in rates} == {
        "backbone",
        "backbone training",
        "BMN training",
        "extraction",
    }
    assert torch.backends.cuda.matmul.allow_tf32 is False


def test_rate_is_taken_where_all_processes_run():
    spans = [(1, 0.0, 2.0, 20), (1, 2.0, 6.0, 40), (2, 1.0, 5.0, 40)]
    assert gpu_extraction.steady_rate(spans) == pytest.approx(20.0)
    assert gpu_extraction.steady_rate([(1, 0.0, 2.0, 20), (2, 3.0, 4.0, 10)]) == 7.5


def test_time_in_which_several_batches_are_in_the_network_counts_once():
    assert gpu_threads.covered([(2.0, 3.0), (0.0, 1.0), (0.5, 1.5), (0.6, 0.7)]) == 2.5
    assert gpu_threads.covered([]) == 0.0
