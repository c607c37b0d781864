"""Several videos at once: the features of each are to the bit those of it alone, and so are its errors."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from feature_extraction.backbones import build_backbone, for_inference
from feature_extraction.clips import stacked_on
from feature_extraction.extractor import ExtractionError, Extractor, VideoFeatures
from feature_extraction.sampling import ClipGrid
from feature_extraction.several import extract_several
from feature_extraction.video.reader import VideoError

NAMES = ("constant.mp4", "variable.mp4", "late_start.ts", "mpeg4.avi", "one_frame.mp4")


@pytest.fixture(scope="module")
def extractor():
    torch.manual_seed(0)
    network = for_inference(build_backbone("tada2d", depth=(1, 1, 1, 1), width=4, num_classes=3))
    return Extractor(network, ClipGrid(30, 4, 2, 4), short_side=32, batch_size=3)


def test_features_are_those_of_each_video_alone(videos, extractor, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    paths = [videos[name][0] for name in NAMES]
    paths[2:2] = [tmp_path / "text.mp4", tmp_path / "none.mp4"]
    beats = []
    found = dict(extract_several(extractor, paths, threads=3, heartbeat=lambda: beats.append(1)))
    assert list(found) == paths
    for path in paths[2:4]:
        with pytest.raises(VideoError) as expected:
            extractor.video(path)
        assert isinstance(found[path], VideoError) and str(found[path]) == str(expected.value)
    batches = 0
    for path in (path for path in paths if path.parent != tmp_path):
        alone, several = extractor.video(path), found[path]
        assert isinstance(several, VideoFeatures)
        np.testing.assert_array_equal(several.features, alone.features)
        assert several[1:] == alone[1:]
        batches += -(-len(alone.features) // extractor.batch_size)
    assert len(beats) == batches


def test_whoever_takes_no_more_leaves_no_thread_behind(videos, extractor):
    paths = [videos["constant.mp4"][0]] * 6
    before = threading.active_count()
    stream = extract_several(extractor, paths, threads=2)
    next(stream)
    stream.close()
    assert threading.active_count() == before


def test_no_threads_are_refused(extractor):
    with pytest.raises(ExtractionError, match="threads is 0"):
        extract_several(extractor, [], threads=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_clips_come_to_a_gpu_as_they_are():
    clips = [torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8) for _ in range(3)]
    assert torch.equal(stacked_on(clips, "cuda").cpu(), torch.stack(clips))
