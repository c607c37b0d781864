"""The picture of a video's way from frames to detections, of a small run."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from checks.pictures.of_run import Shown, shown_of
from checks.pictures.way import HEIGHT, SCHEMES, WIDTH, draw_way
from pipeline.errors import UserError
from pipeline.runs.run import run_of

VIDEO = "validation_000"


@pytest.fixture(scope="module")
def shown(whole) -> Shown:
    return shown_of(run_of(whole), VIDEO, 3)


def test_what_is_shown_is_what_the_run_has(whole, shown):
    run = run_of(whole)
    assert len(shown.frames) == 3 and shown.frames.dtype == np.uint8
    assert np.array_equal(shown.features, run.features(VIDEO).array)
    positions = len(shown.start)
    assert shown.confidence.shape == (run.detection.bmn.duration_scale, positions)
    assert len(shown.scores) == len(shown.proposals)
    assert shown.scores.shape[1] == len(shown.classes)
    assert np.allclose(np.diff(shown.times), shown.step)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_paints_the_picture_with_its_paper(shown, scheme):
    with Image.open(io.BytesIO(draw_way(shown, SCHEMES[scheme]))) as picture:
        assert picture.size == (WIDTH, HEIGHT)
        corner = picture.convert("RGB").getpixel((1, HEIGHT - 2))
    wanted = bytes.fromhex(SCHEMES[scheme].paper[1:])
    assert max(abs(a - b) for a, b in zip(corner, wanted, strict=True)) <= 4


def test_other_proposals_make_another_picture(shown):
    moved = shown.proposals.assign(end=shown.proposals["end"] * 0.5)
    light = SCHEMES["light"]
    assert draw_way(shown, light) != draw_way(replace(shown, proposals=moved), light)


def test_a_video_that_is_not_evaluated_is_refused(whole):
    with pytest.raises(UserError, match="evaluates no video training_000"):
        shown_of(run_of(whole), "training_000", 3)
