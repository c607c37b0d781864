"""Whether this machine decodes videos on an NVIDIA GPU, and the options PyAV needs for it."""

from __future__ import annotations

import inspect
from typing import Any, NoReturn

import torch
from av.codec import hwaccel

from feature_extraction.video.reader import VideoError

_USE = "use --decoder pyav"
# Formats of frames that came from the hardware: on the device, or downloaded (8 bits, 10, 12 or 16).
ON_DEVICE = "cuda"
DOWNLOADED = {"nv12": "yuv420p", "p010le": "yuv420p10le", "p016le": "yuv420p16le"}


def require_nvdec(device: str | torch.device = "cuda") -> None:
    """Raise VideoError where videos cannot be decoded on this device, with the reason."""
    _index(device)


def acceleration(device: str | torch.device = "cuda") -> Any:
    """An `HWAccel` of PyAV that decodes on a CUDA device, and leaves frames there where this PyAV can.

    PyAV before 17 downloads every frame. Raises VideoError if there is no such device.
    """
    number = str(_index(device))
    options: dict[str, Any] = {"device": number, "allow_software_fallback": True}
    if "is_hw_owned" in _known_options():
        # in the context that torch uses, which others cannot read
        options |= {"is_hw_owned": True, "options": {"primary_ctx": "1"}}
    return hwaccel.HWAccel("cuda", **options)


def _known_options() -> str:
    """What PyAV says of the options of HWAccel; compiled, it has no signature in some versions."""
    try:
        signature = str(inspect.signature(hwaccel.HWAccel))
    except (TypeError, ValueError):
        signature = ""
    return f"{signature} {hwaccel.HWAccel.__doc__ or ''}"


def _index(device: str | torch.device) -> int:
    """The number of a CUDA device that decodes."""
    if "cuda" not in hwaccel.hwdevices_available():
        _refuse("this PyAV was built without it")
    if not torch.cuda.is_available():
        _refuse("torch finds no CUDA GPU")
    chosen = torch.device(device)
    if chosen.type != "cuda":
        _refuse(f"the device is {chosen}, and it decodes for a network on a CUDA GPU")
    number = torch.cuda.current_device() if chosen.index is None else chosen.index
    if number >= torch.cuda.device_count():
        _refuse(f"there is no device {chosen}")
    return number


def _refuse(why: str) -> NoReturn:
    raise VideoError(f"decoder nvdec: {why}; {_USE}")
