"""The features of one video, for the tests here."""

from __future__ import annotations

import pytest
from helpers.one_video import CLIPS, made


@pytest.fixture
def store(tmp_path):
    return made(tmp_path, CLIPS)
