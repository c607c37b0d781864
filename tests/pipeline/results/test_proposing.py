"""From the network's maps to a video's proposals, with a network that knows the labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.threads import several_threads

from bmn import BMNOutput, MovedOutput
from bmn.moves import window_moves
from bmn.targets import window_targets
from bmn.windows import sliding_grid, sliding_windows
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.windows.positions import VideoInput
from pipeline.results.proposing import propose_video, video_maps
from pipeline.training.networks.bmn import build_network

LENGTH, SCALE, DURATIONS, SECONDS = 75, 40, 20, 0.5
SEGMENTS = np.array([[2.2, 6.1], [9.4, 12.3], [15.0, 20.5], [31.5, 37.5]])  # the last up to the end


@pytest.fixture
def propose():
    """The proposals of a video by labels with these settings."""
    offsets = sliding_windows(LENGTH, SCALE, 20)

    def proposals(center: float, regression: bool = False, origin: float = 0.0, **settings):
        grid = sliding_grid(SECONDS, origin=origin)
        config = load_config(
            find_config("ek100"),
            {
                "bmn.temporal_scale": SCALE,
                "bmn.duration_scale": DURATIONS,
                "bmn.window_step": 20,
                "bmn.boundary_center": center,
                "bmn.regression": regression,
                "proposals.count": 20,
                "proposals.per_second": 0.0,
                "proposals.boundary_power": 1.0,
                **{f"proposals.{key}": value for key, value in settings.items()},
            },
        )

        def network(features):
            spans = [grid.window(int(number), SCALE) for number in features[:, 0, 0].tolist()]
            tables = [
                window_targets(SEGMENTS + origin, span, SCALE, DURATIONS, center) for span in spans
            ]
            start, end, iou = (torch.stack(table) for table in zip(*tables, strict=True))
            output = BMNOutput(torch.stack([iou, iou], 1), start, end)
            if not regression:
                return output
            moves = [window_moves(SEGMENTS + origin, span, SCALE, DURATIONS) for span in spans]
            return MovedOutput(*output, torch.stack(moves))

        features = np.broadcast_to(offsets[:, None, None], (len(offsets), 1, SCALE))
        source = VideoInput(features.astype(np.float32), offsets, grid, LENGTH)
        return propose_video(
            network, source, "a", config.bmn, config.proposals, torch.device("cpu")
        )

    return proposals


def best_tiou(table):
    start, end = table["start"].to_numpy()[:, None], table["end"].to_numpy()[:, None]
    shared = (np.minimum(end, SEGMENTS[:, 1]) - np.maximum(start, SEGMENTS[:, 0])).clip(0)
    return (shared / (end - start + SEGMENTS[:, 1] - SEGMENTS[:, 0] - shared)).max(0)


def test_an_action_up_to_the_end_of_the_video_is_found_with_half_centred_labels(propose):
    found = propose(0.5)
    assert best_tiou(found)[-1] == pytest.approx(1.0)
    assert found["end"].max() == LENGTH * SECONDS
    public = propose(0)
    assert public["end"].max() == (LENGTH - 1) * SECONDS
    assert (best_tiou(found) >= best_tiou(public) - 0.02).all()


def test_voting_moves_the_picks_and_keeps_their_order_and_scores(propose):
    plain, voted = propose(0.5), propose(0.5, voting=0.7)
    assert plain["score"].tolist() == voted["score"].tolist()
    assert (plain["start"] != voted["start"]).any()
    assert (np.abs(voted[["start", "end"]] - plain[["start", "end"]]) < 2.0).all(axis=None)
    between = [0, 1]  # whole positions are not their boundaries
    assert (best_tiou(voted)[between] > best_tiou(plain)[between]).all()


@pytest.mark.parametrize("center", [0, 0.5])
def test_the_network_s_own_moves_find_what_lies_between_positions(propose, center):
    assert best_tiou(propose(center, regression=True)) == pytest.approx(1.0, abs=1e-4)
    assert (best_tiou(propose(center))[:2] < 0.95).all()


@pytest.mark.parametrize("regression", [False, True])
def test_positions_that_begin_later_give_proposals_that_much_later(propose, regression):
    usual, late = (propose(0.5, regression, origin=origin) for origin in (0.0, 0.75))
    assert late["score"].tolist() == pytest.approx(usual["score"].tolist())
    for column in ("start", "end"):
        assert late[column].to_numpy() == pytest.approx(usual[column].to_numpy() + 0.75)
    early = propose(0.5, regression, origin=-0.25)  # half a position before the video
    assert early["start"].to_numpy() == pytest.approx(
        (usual["start"].to_numpy() - 0.25).clip(min=0)
    )
    assert (early["end"] > early["start"]).all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_no_digit_depends_on_the_number_of_threads(precision):
    keys = {"temporal_scale": SCALE, "duration_scale": DURATIONS, "precision": precision}
    settings = load_config(find_config("hacs"), {f"bmn.{k}": v for k, v in keys.items()}).bmn
    torch.manual_seed(0)
    model = build_network(settings, 256).eval()
    offsets = sliding_windows(LENGTH, SCALE, 20)
    features = torch.randn(len(offsets), 256, SCALE).numpy()
    source = VideoInput(features, offsets, sliding_grid(SECONDS), LENGTH)
    found = []
    for threads in (1, 2, 3):
        with several_threads(threads):
            found.append(video_maps(model, source, settings, torch.device("cpu")))
            assert torch.get_num_threads() == threads
    for other in found[1:]:
        for mine, first in zip(other, found[0], strict=True):
            assert torch.equal(mine, first)
