"""Wrong labels that would move into classes without detections, which stand at one place of the table."""

from __future__ import annotations

import pandas as pd
import pytest

from evaluation.error_types import error_types


def test_labels_move_into_several_classes_that_nothing_was_found_of():
    names = "abcdef"
    truth = pd.DataFrame(
        [("v", 10.0 * place, 10.0 * place + 5, name) for place, name in enumerate(names)],
        columns=["video", "start", "end", "label"],
    )
    # all found as "c", the later the better: c is right, the others are wrong labels of classes nothing was found of
    found = truth.assign(label="c", score=[0.1, 0.2, 0.95, 0.4, 0.5, 0.9])
    result = error_types(truth, found)
    assert result.counts[0] == 5 and result.map == pytest.approx(1 / 6)
    assert result.map + result.gains[0] == pytest.approx(1)
