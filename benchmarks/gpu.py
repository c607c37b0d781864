"""`python -m benchmarks.gpu`: what a GPU makes of it, in one call of less than 8 minutes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from benchmarks import networks
from benchmarks.backbone_training import backbone_step
from benchmarks.baselines.bmn import baseline_bmn
from benchmarks.baselines.tada2d import baseline_tada2d
from benchmarks.bmn_training import BATCH, bmn_step, draw_targets
from benchmarks.costs import bmn_cost, inference_cost, training_cost
from benchmarks.gpu_extraction import extraction_rates
from benchmarks.gpu_threads import fed_rates
from benchmarks.machine import describe, this_machine
from benchmarks.peaks import matmul_rate
from benchmarks.table import markdown
from bmn.targets import Targets

BASELINE, OURS = "baseline", "ours"


@dataclass(frozen=True)
class Rate:
    """This many units per second (clips, steps), and the share of the measured peak that is."""

    stage: str
    form: str
    precision: str
    unit: str
    rate: float
    share: float | None = None


@dataclass(frozen=True)
class Plan:
    """How large everything is: on a GPU, or small enough for a test on the CPU."""

    device: str
    sizes: networks.Sizes
    batch: int
    matmul: int
    seconds: float
    workers: tuple[int, ...]
    threads: tuple[int, ...]
    compiled: bool


GPU = Plan("cuda", networks.FULL, 32, 8192, 4.0, (1, 4, 8), (1, 4, 8), True)
SMALL = Plan("cpu", networks.SMALL, 2, 64, 0.01, (1,), (1, 2), False)


@click.command()
@click.option("--json", "output", type=click.Path(path_type=Path), help="Keep the numbers here.")
@click.option("--small", is_flag=True, hidden=True, help="Tiny sizes on the CPU, for the tests.")
def main(output: Path | None, small: bool) -> None:
    """Backbone, BMN and extraction on the GPU, ours and the baseline; needs a CUDA GPU."""
    if not small and not torch.cuda.is_available():
        raise click.ClickException("this needs a CUDA GPU, and torch finds none on this machine")
    plan = SMALL if small else GPU
    name = plan.device if small else torch.cuda.get_device_name()
    click.echo(f"{name}; {describe(this_machine())}")
    peaks = gpu_peaks(plan)
    click.echo(", ".join(f"{key} {rate / 1e12:.3g} TFLOP/s" for key, rate in peaks.items()) + "\n")
    rates: list[Rate] = []
    try:
        for measure in (backbone, training, boundary_matching, extraction):
            rates += measure(plan, peaks)
    finally:  # what was measured before a failure is kept
        click.echo(rate_table(rates))
        if output is not None:
            content = {"device": name, "peaks": peaks, "rates": [asdict(rate) for rate in rates]}
            output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def gpu_peaks(plan: Plan) -> dict[str, float]:
    """Operations per second of matrix products in float32, tf32 and bfloat16."""
    peaks = {}
    for name in ("float32", "tf32", "bfloat16"):
        dtype = torch.bfloat16 if name == "bfloat16" else torch.float32
        with tf32(name == "tf32"):
            peaks[name] = matmul_rate(dtype, plan.matmul, 8, plan.device)
    return peaks


def backbone(plan: Plan, peaks: dict[str, float]) -> list[Rate]:
    """Clips per second through TAda2D-50, for features."""
    model = networks.draw_tada2d(plan.sizes)
    video = networks.draw_clips(plan.batch, plan.sizes.side).to(plan.device)
    operations = inference_cost(model, tuple(video.shape)).operations
    baseline = baseline_tada2d(model).to(plan.device)
    runs: list[tuple[str, str, Callable[[Tensor], Tensor]]] = [
        (BASELINE, "float32", baseline.features),
        (BASELINE, "tf32", baseline.features),
    ]
    for precision in ("float32", "tf32", "bfloat16"):
        held = "bfloat16" if precision == "bfloat16" else "float32"
        network = networks.inference_network(model, held).to(plan.device)
        runs.append((OURS, precision, network.features))
    if plan.compiled:
        network = networks.inference_network(model, "bfloat16", compiled=True).to(plan.device)
        runs.append((f"{OURS}, compiled", "bfloat16", network.features))
    rates = []
    for form, precision, features in runs:
        with tf32(precision == "tf32"), torch.no_grad():
            rate = plan.batch * per_second(plan, partial(features, video))
        share = rate * operations / peaks[precision]
        rates.append(Rate(f"backbone, batch {plan.batch}", form, precision, "clips/s", rate, share))
    return rates


def training(plan: Plan, peaks: dict[str, float]) -> list[Rate]:
    """Clips per second forward and backward."""
    ours = networks.training_network(networks.draw_tada2d(plan.sizes))
    baseline = baseline_tada2d(ours)
    batch = max(2, plan.batch // 4)
    video = networks.draw_clips(batch, plan.sizes.side).to(plan.device)
    target = (torch.arange(batch) % 10).to(plan.device)
    operations = training_cost(ours, tuple(video.shape)).operations
    rates = []
    for form, precision, model in (
        (BASELINE, "tf32", baseline),
        (OURS, "tf32", ours),
        (OURS, "bfloat16", ours),
    ):
        model.to(plan.device)
        rough = precision == "bfloat16"
        with tf32(precision == "tf32"):
            steps = per_second(plan, partial(backbone_step, model, video, target, rough))
        share = steps * operations / peaks[precision]
        stage = f"backbone training, batch {batch}"
        rates.append(Rate(stage, form, precision, "clips/s", batch * steps, share))
    return rates


def boundary_matching(plan: Plan, peaks: dict[str, float]) -> list[Rate]:
    """Training steps per second of BMN, T = D = 100, batch 4."""
    ours = networks.draw_bmn(plan.sizes).train()
    baseline = baseline_bmn(ours).to(plan.device).train()
    operations = bmn_cost(ours, BATCH, backward=True).operations
    features = torch.randn(BATCH, plan.sizes.channels, plan.sizes.positions, device=plan.device)
    drawn = draw_targets(plan.sizes.positions)
    targets = Targets(*(table.to(plan.device) for table in drawn))
    rates = []
    for form, model in ((BASELINE, baseline), (OURS, ours.to(plan.device))):
        with tf32(True):
            rate = per_second(plan, partial(bmn_step, model, features, targets))
        share = rate * operations / peaks["tf32"]
        rates.append(Rate(f"BMN training, batch {BATCH}", form, "tf32", "steps/s", rate, share))
    return rates


def extraction(plan: Plan, peaks: dict[str, float]) -> list[Rate]:
    """Clips per second from video files, by how many processes share the device, and how many videos one process feeds it."""
    small = plan is SMALL
    rates = [
        Rate(f"extraction, {count} processes", OURS, "bfloat16", "clips/s", rate)
        for count, rate in extraction_rates(plan.device, plan.workers, small=small).items()
    ]
    for (decoder, count), fed in fed_rates(plan.device, plan.threads, small=small).items():
        stage = f"extraction, {count} videos at once, {decoder}"
        form = f"{OURS}, the network waits {100 * fed.waits:.0f} %"
        rates.append(Rate(stage, form, "bfloat16", "clips/s", fed.clips))
    return rates


def per_second(plan: Plan, run: Callable[[], Any]) -> float:
    """Runs per second, measured over `plan.seconds` after a warm-up."""
    for _ in range(3):
        run()
    _wait(plan)
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < plan.seconds or not count:
        for _ in range(4):
            run()
        _wait(plan)
        count += 4
    return count / (time.perf_counter() - begin)


@contextmanager
def tf32(on: bool) -> Iterator[None]:
    """Products and convolutions of float32 in TF32, or not; as before afterwards."""
    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.allow_tf32 for place in places]
    try:
        for place in places:
            place.allow_tf32 = on
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.allow_tf32 = value


def rate_table(rates: list[Rate]) -> str:
    """In Markdown."""
    lines = [
        [
            rate.stage,
            rate.form,
            rate.precision,
            f"{rate.rate:.4g} {rate.unit}",
            "-" if rate.share is None else f"{100 * rate.share:.2g} %",
        ]
        for rate in rates
    ]
    return markdown(["stage", "form", "precision", "rate", "share of peak"], lines)


def _wait(plan: Plan) -> None:
    if plan.device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
