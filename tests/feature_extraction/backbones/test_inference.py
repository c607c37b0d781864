"""A network made ready for extraction computes what the trained one computes."""

from __future__ import annotations

import shutil

import pytest
import torch
from helpers.numbered_videos import encode, even_ticks

from feature_extraction import ClipGrid, build_backbone, extract_features
from feature_extraction.backbones import for_inference, inference


@pytest.fixture(scope="module")
def model():
    """Some steps of training, so that no batch norm and no calibration is at its start."""
    torch.manual_seed(0)
    net = build_backbone("tada2d", depth=(1, 1, 1, 1), width=8, num_classes=(3, 4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for _ in range(4):
        verb, noun = net(torch.randn(4, 3, 4, 32, 32))
        (verb.square().mean() + noun.logsumexp(1).mean()).backward()
        optimizer.step()
    return net


@pytest.fixture(scope="module")
def video():
    return torch.randn(2, 3, 8, 32, 48, generator=torch.Generator().manual_seed(1))


def test_features_are_the_models(model, video):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    ready = for_inference(model)
    training = model.training
    with torch.no_grad():
        expected = model.eval().features(video)
        torch.testing.assert_close(ready.features(video), expected, rtol=1e-4, atol=1e-5)
    model.train(training)
    after = model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_bfloat16_features_are_float32_and_near(model, video):
    ready = for_inference(model, precision="bfloat16")
    features = ready.features(video)
    expected = for_inference(model).features(video)
    assert features.dtype == torch.float32
    assert all(p.dtype == torch.bfloat16 for p in ready.network.parameters())
    assert torch.nn.functional.cosine_similarity(features, expected).min() > 0.999


def test_a_compiler_that_fails_is_said_and_done_without(model, video, monkeypatch):
    def broken(function):
        def fail(_):
            raise RuntimeError("no C++ compiler")

        return fail

    monkeypatch.setattr(inference, "_compile", broken)
    ready = for_inference(model, compiled=True)
    with pytest.warns(UserWarning, match="no C\\+\\+ compiler"):
        features = ready.features(video)
    assert torch.equal(features, for_inference(model).features(video))
    assert not ready.compiled


def test_an_unknown_precision_is_refused(model):
    with pytest.raises(ValueError, match="int8"):
        for_inference(model, precision="int8")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_compiled_equals_eager_over_a_video(model, tmp_path, precision):
    path = encode(tmp_path / "video.mp4", even_ticks(75))
    grid = ClipGrid(fps=30.0, frames=4, interval=2, stride=10)
    made = []
    for compiled in (False, True):
        network = for_inference(model, precision=precision, compiled=compiled)
        made.append(extract_features(network, path, grid, short_side=32, batch_size=3)[0])
        assert network.compiled is compiled
    assert len(made[0]) == 8  # three batches, the last one of two clips
    close = 1e-4 if precision == "float32" else 0.05
    torch.testing.assert_close(*map(torch.from_numpy, made), rtol=close, atol=close)
