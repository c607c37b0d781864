"""Networks whose weights come later, or never: nothing is drawn for them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_DRAWS = (Tensor.normal_, Tensor.uniform_)


class _NothingDrawn(TorchFunctionMode):
    """Initial weights are left as the memory has them: what fills a tensor gives it back as it is."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if func in _DRAWS or getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


@contextlib.contextmanager
def to_be_filled() -> Iterator[None]:
    """Networks built meanwhile are to be filled with weights: drawing them would cost a quarter of a second."""
    with _NothingDrawn():
        yield


@contextlib.contextmanager
def forms_alone() -> Iterator[None]:
    """Networks built meanwhile have names and shapes of weights, and no weights.

    Drawing on torch's meta device alone would import its compiler: two seconds.
    """
    with torch.device("meta"), _NothingDrawn():
        yield
