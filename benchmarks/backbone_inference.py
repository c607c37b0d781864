"""TAda2D-50 on a clip of 8 x 224 x 224: the baseline, ours folded, in bfloat16, compiled."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from benchmarks import networks
from benchmarks.baselines.tada2d import baseline_tada2d
from benchmarks.costs import inference_cost
from benchmarks.measure import Form, Row, Work, compare, relative_difference, skipped

STAGE = "backbone inference"
BASELINE = "grouped convolution, 5-D float32"
EAGER, ROUGH, COMPILED = "folded, float32", "folded, bfloat16", "folded, bfloat16, compiled"
CACHE = "TORCHINDUCTOR_CACHE_DIR"


def run(quick: bool) -> list[Row]:
    """Batches of 1 and 4; seconds per clip."""
    sizes = networks.SMALL if quick else networks.FULL
    turns = {1: 5, 4: 2}
    return [
        row
        for batch, runs in turns.items()
        for row in _batch(sizes, batch, 1 if quick else runs, quick)
    ]


def _batch(sizes: networks.Sizes, batch: int, runs: int, quick: bool) -> list[Row]:
    model = networks.draw_tada2d(sizes)
    baseline = baseline_tada2d(model)
    video = networks.draw_clips(batch, sizes.side)
    text = f"clip of 8 x {sizes.side} x {sizes.side}, batch {batch}"
    work = Work(STAGE, text, relative_difference, "of the largest")

    def baseline_run() -> torch.Tensor:
        with torch.no_grad():
            return baseline.features(video)

    def form(name: str, network: networks.InferenceNetwork) -> Form:
        cost = inference_cost(model, tuple(video.shape), network.precision)
        return Form(name, lambda: network.features(video), batch, cost=cost)

    forms = [form(EAGER, networks.inference_network(model, "float32"))]
    left_out = []
    why = networks.why_no_bfloat16()
    if why:
        left_out.append(skipped(work, BASELINE, ROUGH, why))
    else:
        forms.append(form(ROUGH, networks.inference_network(model, "bfloat16")))
    network, why = build_compiled(model, video, quick)
    if network is None:
        left_out.append(skipped(work, BASELINE, COMPILED, why))
    else:
        forms.append(form(f"{COMPILED} {why}", network))
    first = Form(BASELINE, baseline_run, batch)
    return compare(work, first, forms, runs=runs, warm_up=batch == 1) + left_out


def build_compiled(
    model: networks.VideoResNet, video: torch.Tensor, quick: bool
) -> tuple[networks.InferenceNetwork | None, str]:
    """The network compiled for this size of video and how long that took, or None and why not."""
    why = "it takes long to build" if quick else networks.why_not_compiled()
    if why:
        return None, why
    network = networks.inference_network(model, "bfloat16", compiled=True)
    begin = time.perf_counter()
    with fresh_cache():
        network.features(video)
    if not network.compiled:
        return None, "torch.compile failed"
    return network, f"(built in {time.perf_counter() - begin:.0f} s)"


@contextmanager
def fresh_cache() -> Iterator[None]:
    """Let torch.compile build again, and not find what an earlier run left."""
    before = os.environ.get(CACHE)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[CACHE] = folder
        try:
            yield
        finally:
            del os.environ[CACHE]
            if before is not None:
                os.environ[CACHE] = before
