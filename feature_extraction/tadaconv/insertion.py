"""Put TAdaConv into a network that exists: its convolutions replaced, its outputs as they were."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from feature_extraction.tadaconv.generation import Calibrate
from feature_extraction.tadaconv.tadaconv import TAdaConv2d
from feature_extraction.tadaconv.time import TAdaConv3d

Where = str | Callable[[str, nn.Module], bool]


class FrameTAdaConv2d(TAdaConv2d):
    """`TAdaConv2d` for a network that takes clips of `frames` frames as a batch [B*T, Ci, H, W]."""

    frames: int

    def forward(self, video: Tensor, alpha: Tensor | None = None) -> Tensor:
        """Frames [B*T, Ci, H, W], clip after clip -> [B*T, Co, H', W']."""
        if len(video) % self.frames:
            raise ValueError(f"{len(video)} frames are no whole clips of {self.frames}")
        return self.forward_frames(video, self.frames, alpha)


def insert_tadaconv(
    module: nn.Module,
    where: Where,
    *,
    frames: int | None = None,
    calibrate: Calibrate = "in",
    proportion: float = 1.0,
    reduction: int = 4,
    kernels: tuple[int] | tuple[int, int] = (3, 3),
    global_context: bool = True,
) -> tuple[str, ...]:
    """Replace convolutions of `module`, in place, by TAdaConv with their weights; give their names.

    where: a pattern of names as `named_modules` gives them ("layer?.*.conv*"; * stands for anything,
    dots included), or a function of name and convolution. An `nn.Conv3d` sees videos [B, C, T, H, W];
    an `nn.Conv2d` sees frames [B*T, C, H, W], and `frames` says how many a clip has. The other options
    are those of `TAdaConv2d`. Weights keep their names and shapes, so checkpoints of the original
    load with strict=False, and outputs are unchanged until the calibration is trained. Raises
    ValueError where nothing matches, and before anything is changed where a convolution has groups,
    dilation or another padding than zeros, or cannot be calibrated frame by frame.
    """
    everywhere = list(module.named_modules(remove_duplicate=False))
    found = [(name, conv) for name, conv in everywhere if _chosen(name, conv, where)]
    if not found:
        names = [name for name, conv in everywhere if name and _is_conv(conv)]
        some = ", ".join(names[:5]) or "none"
        raise ValueError(f"no convolution at {where!r}; the first of the network's: {some}")
    options = {
        "calibrate": calibrate,
        "proportion": proportion,
        "reduction": reduction,
        "kernels": kernels,
        "global_context": global_context,
    }
    made: dict[int, nn.Module] = {}  # a convolution that stands in two places is one again
    for name, conv in found:
        made.setdefault(id(conv), _adapted(name, conv, frames, options))
    for name, conv in found:
        owner, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, made[id(conv)])
    return tuple(name for name, _ in found)


def _is_conv(module: nn.Module) -> bool:
    return isinstance(module, (nn.Conv2d, nn.Conv3d))


def _chosen(name: str, module: nn.Module, where: Where) -> bool:
    if not name or not _is_conv(module):
        return False
    return fnmatchcase(name, where) if isinstance(where, str) else bool(where(name, module))


def _adapted(
    name: str, conv: nn.Conv2d | nn.Conv3d, frames: int | None, options: dict
) -> TAdaConv2d | TAdaConv3d:
    one = (1,) * len(conv.kernel_size)
    if conv.groups != 1 or tuple(conv.dilation) != one or conv.padding_mode != "zeros":
        raise ValueError(f"{name}: {conv} has groups, dilation or a padding TAdaConv does not have")
    if parametrize.is_parametrized(conv) or isinstance(conv.weight, nn.UninitializedParameter):
        raise ValueError(f"{name}: its weight is parametrized or not yet there")
    sizes = {"stride": tuple(conv.stride), "padding": _padding(conv), "bias": conv.bias is not None}
    channels = (conv.in_channels, conv.out_channels, tuple(conv.kernel_size))
    with torch.device(conv.weight.device):
        if isinstance(conv, nn.Conv3d):
            try:
                adapted = TAdaConv3d(*channels, **sizes, **options)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        elif frames is None or frames < 1:
            raise ValueError(f"{name} is an nn.Conv2d: give frames, how many a clip has")
        else:
            adapted = FrameTAdaConv2d(*channels, **sizes, **options)
            adapted.frames = frames
    adapted = adapted.to(conv.weight.dtype).train(conv.training)
    adapted.weight, adapted.bias = conv.weight, conv.bias
    return adapted


def _padding(conv: nn.Conv2d | nn.Conv3d) -> tuple[int, ...]:
    if conv.padding == "same":  # torch allows it with stride one alone
        if any(size % 2 == 0 for size in conv.kernel_size):
            raise ValueError(f"{conv}: padding 'same' of an even kernel is not symmetric")
        return tuple(size // 2 for size in conv.kernel_size)
    return (0,) * len(conv.kernel_size) if conv.padding == "valid" else tuple(conv.padding)
