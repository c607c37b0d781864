"""The reader over hardware decoding: frames and times of the usual one; what is not there is one line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from av.codec import hwaccel
from av.video.reformatter import VideoReformatter
from helpers.numbered_videos import read_number

from feature_extraction.read_ahead import FrameThread
from feature_extraction.sampling import ClipGrid
from feature_extraction.video.frame_folder import FrameFolder
from feature_extraction.video.hardware import acceleration as accelerated
from feature_extraction.video.hardware import file as hardware_file
from feature_extraction.video.hardware.acceleration import acceleration, require_nvdec
from feature_extraction.video.hardware.file import HardwareFile
from feature_extraction.video.opening import open_video
from feature_extraction.video.pyav_file import VideoFile
from feature_extraction.video.reader import VideoError

NAMES = ("constant.mp4", "b_frames.mp4", "b_pyramid_open_gop.mp4", "variable.mkv", "late_start.ts", "cut_by_edit_list.mp4",
         "hevc.mp4")  # fmt: skip
LEVELS = 1  # of 255, by which frames of the GPU may differ from those of the CPU
gpu = pytest.mark.skipif(
    not (torch.cuda.is_available() and "cuda" in hwaccel.hwdevices_available()),
    reason="needs a CUDA GPU, and PyAV built with CUDA",
)


class OnDevice:
    """A frame that says it is on a device: all of a software frame but its form."""

    def __init__(self, frame):
        self._frame, self.sw_format = frame, frame.format

    @property
    def format(self):
        return type("Format", (), {"name": "cuda"})

    def __getattr__(self, name):
        return getattr(self._frame, name)


@pytest.fixture(params=["on the device", "downloaded"])
def imitated(monkeypatch, request):
    """Software frames in the forms in which hardware gives them; what is on the device is on the CPU."""

    def interleaved(self, item, *, needed=True):
        found = decode(self, item, needed=needed)
        return [imitate(frame) for frame in found]

    def imitate(frame):
        if frame.format.name in {"nv12", "cuda"}:
            return frame
        made = VideoReformatter().reformat(frame, format="nv12")
        return OnDevice(made) if request.param == "on the device" else made

    def first(self):
        begun = decode_first(self)
        self.first_frame = imitate(self.first_frame)
        return [item._replace(frames=[imitate(f) for f in item.frames or []]) for item in begun]

    decode, decode_first = VideoFile.decode, VideoFile._decode_first
    monkeypatch.setattr(HardwareFile, "decode", interleaved)
    monkeypatch.setattr(HardwareFile, "_decode_first", first)
    monkeypatch.setattr(hardware_file, "acceleration", lambda device: None)
    return request.param


def tensors(path, times, decoder, device):
    with open_video(path, decoder, device=device) as reader:
        found = [
            (index, frame.cpu().numpy()) for index, frame in reader.tensors_at(times, final_fps=30)
        ]
        return found, reader.end_time


def require_same(path, device, levels):
    times = np.sort(np.random.default_rng(0).uniform(0, 3.5, 40)).tolist()
    found, end = tensors(path, times, "nvdec", device)
    expected, its_end = tensors(path, times, "pyav", device)
    assert end == its_end and [index for index, _ in found] == [index for index, _ in expected]
    for (_, one), (_, two) in zip(found, expected, strict=True):
        assert np.abs(one.astype(int) - two).max() <= levels and read_number(one) == read_number(
            two
        )


@pytest.mark.parametrize("name", NAMES)
def test_frames_of_imitated_hardware_are_those_of_the_usual_reader(videos, imitated, name):
    require_same(videos[name][0], "cpu", 1)


def test_downloaded_frames_give_pictures_and_clips(videos, imitated):
    if imitated == "on the device":
        pytest.skip("a frame that is not there cannot be downloaded")
    path = videos["b_frames.mp4"][0]
    with open_video(path, "nvdec", device="cpu") as reader, open_video(path) as other:
        np.testing.assert_array_equal(reader.clip([0.2, 1.7]), other.clip([0.2, 1.7]))
        assert reader.info == other.info


def test_frames_of_any_reader_come_as_tensors_too(videos, tmp_path):
    path = videos["constant.mp4"][0]
    with open_video(path) as reader:
        found = list(reader.tensors_at([0.0, 0.01, 0.5]))
        assert found[0][1] is found[1][1] and found[0][1] is not found[2][1]
    with open_video(path) as reader:
        for (_, tensor), (_, picture) in zip(
            found, reader.frames_at([0.0, 0.01, 0.5]), strict=True
        ):
            np.testing.assert_array_equal(tensor.numpy(), picture)


def test_a_kind_that_the_hardware_does_not_decode_is_refused(videos, monkeypatch):
    monkeypatch.setattr(
        hardware_file, "acceleration", lambda device: None
    )  # frames as software decodes them
    with pytest.raises(
        VideoError, match=r"does not decode this kind of video \(h264 High.*--decoder pyav"
    ):
        open_video(videos["constant.mp4"][0], "nvdec", device="cpu")


def test_a_device_that_cannot_be_used_is_not_the_files_fault(videos, monkeypatch, tmp_path):
    class Refused:
        def __init__(self, *args, **more): ...

    monkeypatch.setattr(hardware_file, "acceleration", lambda device: Refused())
    monkeypatch.setattr(hardware_file, "open_container", refusing(hardware_file.open_container))
    with pytest.raises(VideoError, match="PyAV cannot use cuda; use --decoder pyav"):
        open_video(videos["constant.mp4"][0], "nvdec")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match="not a readable video"):
        open_video(tmp_path / "text.mp4", "nvdec")


def refusing(open_container):
    """`open_container` where the hardware cannot be used."""

    def opened(path, hardware=None):
        if hardware is not None:
            raise VideoError("no device")
        return open_container(path)

    return opened


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(VideoError, match="torch finds no CUDA GPU; use --decoder pyav"):
        require_nvdec()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    require_nvdec("cuda")
    for device, said in (("cuda:1", "no device cuda:1"), ("cpu", "the device is cpu")):
        with pytest.raises(VideoError, match=said):
            require_nvdec(device)
    monkeypatch.setattr(hwaccel, "hwdevices_available", lambda: ["vaapi"])
    with pytest.raises(VideoError, match="PyAV was built without it"):
        require_nvdec()


@pytest.mark.parametrize("known", ["", "is_hw_owned=False"])
def test_an_older_pyav_downloads(monkeypatch, known):
    asked = {}
    monkeypatch.setattr(accelerated, "_index", lambda device: 3)
    monkeypatch.setattr(accelerated, "_known_options", lambda: known)
    monkeypatch.setattr(hwaccel, "HWAccel", lambda kind, **options: asked.update(options))
    acceleration("cuda:3")
    assert asked["device"] == "3" and asked.get("is_hw_owned", False) == bool(known)


def test_folders_of_frames_are_read_as_ever(tmp_path):
    with pytest.raises(VideoError, match="no such|no numbered|cannot be read"):
        open_video(FrameFolder(tmp_path / "none", (10.0,)), "nvdec")


@gpu
@pytest.mark.parametrize("name", NAMES)
def test_frames_of_the_gpu_are_those_of_the_cpu(videos, name):
    require_same(videos[name][0], "cuda", LEVELS)


@gpu
def test_resized_frames_of_the_gpu_are_within_a_level(videos):
    path, grid = videos["b_frames.mp4"][0], ClipGrid(30, 8, 2, 8)
    found = []
    for decoder, device in (("nvdec", "cuda"), ("pyav", "cpu")):
        with FrameThread(path, grid, 48, decoder=decoder, device=device) as frames:
            found.append({number: frame.cpu().int() for number, frame in frames})
    assert found[0].keys() == found[1].keys()
    assert all((found[0][n] - found[1][n]).abs().max() <= LEVELS + 1 for n in found[0])
