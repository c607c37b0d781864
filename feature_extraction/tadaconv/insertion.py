"""Put TAdaConv into a network that exists: its convolutions replaced, its outputs as they were."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from feature_extraction.tadaconv.generation import Calibrate, CalibrationOptions, Kernels
from feature_extraction.tadaconv.layout import pair, triple
from feature_extraction.tadaconv.modules import TAdaConv2d, TAdaConv3d

Conv = nn.Conv2d | nn.Conv3d
Where = str | Callable[[str, Conv], bool]


class FrameTAdaConv2d(TAdaConv2d):
    """`TAdaConv2d` for a network that takes clips of `frames` frames as a batch [B*T, Ci, H, W]."""

    frames: int

    def forward(self, video: Tensor, alpha: Tensor | None = None) -> Tensor:
        """Frames [B*T, Ci, H, W], clip after clip -> [B*T, Co, H', W']."""
        if len(video) % self.frames:
            raise ValueError(
                f"{len(video)} frames are not a multiple of the clip length {self.frames}"
            )
        return self.forward_frames(video, self.frames, alpha)


def insert_tadaconv(
    module: nn.Module,
    where: Where,
    *,
    frames: int | None = None,
    calibrate: Calibrate = "in",
    proportion: float = 1.0,
    reduction: int = 4,
    kernels: Kernels = (3, 3),
    global_context: bool = True,
) -> tuple[str, ...]:
    """Replace convolutions of `module`, in place, by TAdaConv with their weights; give their names.

    where: a pattern of names as `named_modules` gives them ("layer?.*.conv*"; * stands for anything,
        dots included), or a function of name and convolution
    frames: frames of a clip, needed for an `nn.Conv2d`, which sees frames [B*T, C, H, W]; an `nn.Conv3d` sees
        videos [B, C, T, H, W]

    The other options are those of `TAdaConv2d`. Weights keep their names and shapes, so checkpoints of the original
    load with strict=False, and outputs are unchanged until the calibration is trained. Raises
    ValueError where nothing matches, and before anything is changed where a convolution has groups,
    dilation or another padding than zeros, or cannot be calibrated frame by frame.
    """
    found = _chosen(module, where)
    options = CalibrationOptions(
        calibrate=calibrate,
        proportion=proportion,
        reduction=reduction,
        kernels=kernels,
        global_context=global_context,
    )
    made: dict[int, nn.Module] = {}  # a convolution that appears in two places is one again
    for name, conv in found:
        made.setdefault(id(conv), _adapted(name, conv, frames, options))
    for name, conv in found:
        owner, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, made[id(conv)])
    return tuple(name for name, _ in found)


def _chosen(module: nn.Module, where: Where) -> list[tuple[str, Conv]]:
    """The convolutions at `where` by name; one that appears in two places appears twice."""
    everywhere = module.named_modules(remove_duplicate=False)
    convs = [(name, conv) for name, conv in everywhere if name and isinstance(conv, Conv)]
    found = [(name, conv) for name, conv in convs if _matches(name, conv, where)]
    if not found:
        some = ", ".join(name for name, _ in convs[:5]) or "none"
        raise ValueError(f"no convolution matches {where!r}; the network's first are: {some}")
    return found


def _matches(name: str, conv: Conv, where: Where) -> bool:
    return fnmatchcase(name, where) if isinstance(where, str) else bool(where(name, conv))


def _adapted(
    name: str, conv: Conv, frames: int | None, options: CalibrationOptions
) -> TAdaConv2d | TAdaConv3d:
    _require_plain(name, conv)
    with torch.device(conv.weight.device):
        if isinstance(conv, nn.Conv3d):
            try:
                adapted: TAdaConv2d | TAdaConv3d = _adapted3d(conv, options)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        elif frames is None or frames < 1:
            raise ValueError(
                f"{name} is an nn.Conv2d: give `frames`, the number of frames per clip"
            )
        else:
            adapted = _adapted2d(conv, frames, options)
    adapted = adapted.to(conv.weight.dtype).train(conv.training)
    parameters = dict(conv.named_parameters(recurse=False))
    adapted.weight, adapted.bias = parameters["weight"], parameters.get("bias")
    return adapted


def _require_plain(name: str, conv: Conv) -> None:
    one = (1,) * len(conv.kernel_size)
    if conv.groups != 1 or tuple(conv.dilation) != one or conv.padding_mode != "zeros":
        raise ValueError(f"{name}: {conv} has groups, dilation or a padding TAdaConv does not have")
    if parametrize.is_parametrized(conv) or isinstance(conv.weight, nn.UninitializedParameter):
        raise ValueError(f"{name}: its weight is parametrized or not initialized yet")


def _adapted3d(conv: nn.Conv3d, options: CalibrationOptions) -> TAdaConv3d:
    return TAdaConv3d(
        conv.in_channels,
        conv.out_channels,
        triple(conv.kernel_size),
        stride=triple(conv.stride),
        padding=triple(_padding(conv)),
        bias=conv.bias is not None,
        **options,
    )


def _adapted2d(conv: nn.Conv2d, frames: int, options: CalibrationOptions) -> FrameTAdaConv2d:
    adapted = FrameTAdaConv2d(
        conv.in_channels,
        conv.out_channels,
        pair(conv.kernel_size),
        stride=pair(conv.stride),
        padding=pair(_padding(conv)),
        bias=conv.bias is not None,
        **options,
    )
    adapted.frames = frames
    return adapted


def _padding(conv: Conv) -> tuple[int, ...]:
    if isinstance(conv.padding, tuple):
        return conv.padding
    if conv.padding == "valid":
        return (0,) * len(conv.kernel_size)
    if any(size % 2 == 0 for size in conv.kernel_size):  # "same", with stride one alone
        raise ValueError(f"{conv}: padding 'same' of an even kernel is not symmetric")
    return tuple(size // 2 for size in conv.kernel_size)
