"""The reader whose frames an NVIDIA GPU decodes, and leaves there for a network: times and frames of the usual one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from feature_extraction.video.hardware.file import HardwareFile
from feature_extraction.video.pyav_file import VideoFile
from feature_extraction.video.pyav_reader import PyavReader


class NvdecReader(PyavReader):
    """Reader over PyAV's hardware decoding. Raises VideoError."""

    def __init__(
        self, path: Path, *, allow_partial: bool = False, device: str | torch.device = "cuda"
    ) -> None:
        self._device = device
        super().__init__(path, allow_partial=allow_partial)

    def tensors_at(
        self, times: Iterable[float], *, final_fps: float | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """See Reader.tensors_at; they lie on the device."""
        return self._passed(times, final_fps, HardwareFile.tensor)

    def _open(self) -> VideoFile:
        self._check_open()
        return HardwareFile(self._path, allow_partial=self._allow_partial, device=self._device)
