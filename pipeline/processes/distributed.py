"""Training and extraction over several processes: torch.distributed, one process a device.

The same batch gives the same step however many processes share it: each computes a part of it,
what the loss needs is gathered, every process computes the whole loss, and DDP averages gradients.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import UserError
from pipeline.ranks import ranks

Value = TypeVar("Value")
Model = TypeVar("Model", bound=nn.Module)
# Ranks that have extracted their videos wait for the others; torchrun, not a timeout, ends dead runs.
PATIENCE = timedelta(days=7)


@contextlib.contextmanager
def process_group() -> Iterator[None]:
    """The processes torchrun started, connected; a single process has nothing to connect."""
    if ranks().size == 1 or dist.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(ranks().local)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE
    )
    yield
    # After an error there is nothing to take down: torchrun ends the others. DDP's last gradients may
    # still hold the group in one of gloo's threads; were that the last to let go, it would abort.
    gc.collect()
    barrier()
    time.sleep(0.2)
    dist.destroy_process_group()


def barrier() -> None:
    """Wait until every process is here."""
    if ranks().size > 1:
        dist.all_reduce(torch.zeros(1))


def any_rank(flag: bool) -> bool:
    """Whether it is true for any process."""
    if ranks().size == 1:
        return flag
    seen = torch.tensor([float(flag)])
    dist.all_reduce(seen, dist.ReduceOp.MAX)
    return bool(seen.item())


def from_main_process(make: Callable[[], Value]) -> Value:
    """What the main process computes, sent to all (plain values)."""
    if ranks().size == 1:
        return make()
    box: list[Any] = [make() if ranks().is_main else None]
    dist.broadcast_object_list(box, src=0)
    value: Value = box[0]
    return value


def gather_values(value: Value) -> list[Value]:
    """Every process's value (plain values), in their order."""
    if ranks().size == 1:
        return [value]
    values: list[Any] = [None] * ranks().size
    dist.all_gather_object(values, value)
    return values


def gather(tensor: Tensor) -> Tensor:
    """The processes' tensors [n, ...] one after the other, each of its own n.

    Gradients: every process is taken to compute the same from the whole, and DDP to average.
    """
    if ranks().size == 1:
        return tensor
    counts = gather_values(len(tensor))
    whole: Tensor = _Gather.apply(tensor, counts)
    return whole


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, counts: list[int]) -> Tensor:
        rank, longest = ranks().rank, max(counts)
        ctx.start, ctx.count = sum(counts[:rank]), counts[rank]
        padded = tensor.new_zeros((longest, *tensor.shape[1:]))
        padded[: len(tensor)] = tensor
        parts = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[ctx.start : ctx.start + ctx.count] * ranks().size, None


def spread(model: nn.Module, device: torch.device) -> nn.Module:
    """The model whose gradients are averaged over the processes; alone, the model itself.

    Call `synchronize_norms` on it first where it has batch norms. A part may say that some of its weights
    have no gradient (`leaves_weights_unused`).
    """
    if ranks().size == 1:
        return model
    ids = [device.index] if device.type == "cuda" else None
    unused = any(getattr(module, "leaves_weights_unused", False) for module in model.modules())
    return DistributedDataParallel(model, device_ids=ids, find_unused_parameters=unused)


def synchronize_norms(model: Model, device: torch.device) -> Model:
    """Give a model, in place, batch norms over the whole batch of all processes; same names of weights."""
    if ranks().size > 1 and device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]  # torch's own
    elif ranks().size > 1:
        _replace_norms(model)
    return model


def _replace_norms(module: nn.Module) -> nn.Module:
    for name, child in module.named_children():
        setattr(module, name, _replace_norms(child))
    if not isinstance(module, nn.modules.batchnorm._BatchNorm):
        return module
    norm = _SharedNorm(module.num_features, module.eps, module.momentum)
    norm.load_state_dict(module.state_dict())
    return norm.to(module.weight.device)


class _Sum(torch.autograd.Function):
    """The sum over all processes; its gradient is summed too."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


class _SharedNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over all processes' samples on the CPU, which torch does not have."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"batch norm of {input.dim()} dimensions")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return F.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        over = [dim for dim in range(input.dim()) if dim != 1]
        shape = [-1 if dim == 1 else 1 for dim in range(input.dim())]
        values = input.float()
        count = torch.full((1,), values.numel() / values.shape[1])
        sums = _Sum.apply(torch.cat([values.sum(over), count]))
        total = sums[-1].detach()
        mean = sums[:-1] / total
        centred = values - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(over)) / total
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (total / (total - 1)), self.momentum)
        scale = torch.rsqrt(variance + self.eps) * self.weight
        result: Tensor = centred * scale.view(shape) + self.bias.view(shape)
        return result.to(input.dtype)


def require_full_batches(batches: list[int], title: str) -> None:
    """Refuse batches too small for every process to have a sample of. Raises UserError."""
    size = ranks().size
    if min(batches) < size:
        raise UserError(
            f"{title}: a batch of {min(batches)} samples cannot be shared by {size} processes; "
            f"change {title}.batch_size ({max(batches)} now, over all processes)"
        )
