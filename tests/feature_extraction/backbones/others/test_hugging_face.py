"""Models of transformers: their features are those that transformers gives for the same frames."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from helpers.published_models import (
    FRAMES,
    IMAGE,
    SIDE,
    VIDEO,
    called_directly,
    model_of,
    write_model,
)

from feature_extraction.backbones import VideoNetwork, for_inference
from feature_extraction.backbones.others import describe, published_backbone
from feature_extraction.published.names import PublishedError


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each kind, made when it is asked for."""
    made = {}

    def of(kind: str):
        if kind not in made:
            made[kind] = write_model(tmp_path_factory.mktemp("models") / kind, kind)
        return made[kind]

    return of


def clips(frames: int = FRAMES) -> torch.Tensor:
    return torch.randn(2, 3, frames, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def backbone(folder, **options) -> VideoNetwork:
    return published_backbone(f"hf:{folder}", num_classes=3, weights="published", **options).eval()


@torch.no_grad()
@pytest.mark.parametrize("kind", [*VIDEO, *IMAGE])
def test_features_are_those_of_transformers(folders, kind):
    model, video = backbone(folders(kind)), clips()
    wanted = called_directly(folders(kind), video)
    found = model.features(video)
    assert found.shape == (2, model.feature_dim)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(for_inference(model).features(video), wanted, rtol=1e-5, atol=1e-6)
    assert model(video).shape == (2, 3)
    # clips do not see one another
    torch.testing.assert_close(model.features(video[:1]), wanted[:1], rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("kind", [*VIDEO, "dinov2"])
def test_bfloat16_is_near(folders, kind):
    model, video = backbone(folders(kind)), clips()
    near = for_inference(model, precision="bfloat16").features(video)
    assert near.dtype == torch.float32
    assert (near - model.features(video)).abs().max() < 0.05 * model.features(video).abs().max()


@torch.no_grad()
@pytest.mark.parametrize("kind", [*VIDEO, "dinov2", "dinov3_vit"])
def test_a_description_alone_makes_the_same_network(folders, kind):
    """What a model file holds: no folder is read, and none of its weights is at random after loading."""
    model = backbone(folders(kind))
    with torch.device("meta"):
        empty = published_backbone("hf:gone", num_classes=3, takes=model.takes)
    forms = {name: tensor.shape for name, tensor in model.state_dict().items()}
    assert {name: tensor.shape for name, tensor in empty.state_dict().items()} == forms
    again = published_backbone("hf:gone", num_classes=3, takes=model.takes).eval()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.features(clips()), model.features(clips()))


@pytest.mark.parametrize("kind", [*VIDEO, "dinov2_with_registers", "dinov3_vit"])
def test_every_weight_that_is_left_to_train_has_a_gradient(folders, kind):
    model = backbone(folders(kind)).train()
    model(clips()).square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


def test_fewer_activations_give_the_same_gradient(folders):
    plain, fewer = backbone(folders("videomae")).train(), backbone(folders("videomae")).train()
    assert fewer.checkpoint_activations()
    for model in (plain, fewer):
        model.features(clips()).square().sum().backward()
    for one, other in zip(plain.network.parameters(), fewer.network.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@torch.no_grad()
def test_the_first_token_where_there_is_one(folders):
    from transformers import AutoModel

    folder = folders("timesformer")
    direct = AutoModel.from_pretrained(folder).eval()
    wanted = direct(clips().transpose(1, 2)).last_hidden_state[:, 0]
    torch.testing.assert_close(backbone(folder, tokens="first").features(clips()), wanted)
    with pytest.raises(PublishedError, match="no class token"):
        backbone(folders("videomae"), tokens="first")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 3, 4, SIDE, SIDE), "takes clips of 8 frames, not of 4"),
        ((1, 3, 8, SIDE, 48), "takes frames of 32 x 32 pixels, not of 32 x 48"),
    ],
)
def test_other_clips_are_refused_in_words(folders, shape, said):
    with pytest.raises(ValueError, match=said):
        backbone(folders("videomae")).features(torch.zeros(shape))


@torch.no_grad()
def test_positions_relative_to_one_another_take_clips_of_any_even_length(folders):
    model = backbone(folders("vjepa2"))
    for frames in (2, 8, 16):
        wanted = called_directly(folders("vjepa2"), clips(frames))
        torch.testing.assert_close(model.features(clips(frames)), wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="a multiple of 2 frames, not of 7"):
        model.features(clips(7))


@torch.no_grad()
def test_a_model_of_frames_is_shown_the_processors_crop(tmp_path):
    """Its positions are interpolated, as transformers does where it is asked to."""
    from transformers import AutoModel

    large = {"crop_size": {"height": 48, "width": 48}, "size": {"shortest_edge": 48}}
    folder = write_model(tmp_path / "vit", "vit", processor=large)
    model, video = backbone(folder), torch.randn(1, 3, 2, 48, 48)
    direct = AutoModel.from_pretrained(folder).eval()
    frames = video.transpose(1, 2).flatten(0, 1)
    found = direct(frames, interpolate_pos_encoding=True).last_hidden_state.mean(1).mean(0)
    torch.testing.assert_close(model.features(video)[0], found, rtol=1e-5, atol=1e-6)


def test_weights_in_half_precision_are_computed_in_single(tmp_path):
    model_of("videomae").half().save_pretrained(tmp_path)
    model = backbone(tmp_path)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_pickle_is_not_read(tmp_path):
    folder = write_model(tmp_path / "model", "videomae")
    (folder / "model.safetensors").unlink()
    with pytest.raises(PublishedError, match="holds no weights"):
        backbone(folder)
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(PublishedError, match=r"pytorch_model\.bin, a pickle, which can run code"):
        backbone(folder)


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_hidden_layers": 60_000}, "60000 layers"),
        (
            {"hidden_size": 60_000},
            "describes a model of .* weights or more, and its safetensors files have",
        ),
    ],
)
def test_settings_far_larger_than_the_weights_allocate_nothing(tmp_path, change, said):
    folder = change_config(write_model(tmp_path / "model", "videomae"), **change)
    with pytest.raises(PublishedError, match=said):
        describe(f"hf:{folder}")


@torch.no_grad()
def test_settings_of_how_a_model_answers_change_nothing(tmp_path):
    folder = write_model(tmp_path / "model", "videomae")
    wanted = backbone(folder).features(clips())
    change_config(folder, return_dict=False, output_attentions=True, output_hidden_states=True)
    assert torch.equal(backbone(folder).features(clips()), wanted)


def test_code_of_others_is_never_run(tmp_path):
    folder = write_model(tmp_path / "model", "videomae")
    code = f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n"
    (folder / "own.py").write_text(code)
    change_config(
        folder, model_type="own", auto_map={"AutoConfig": "own.Own", "AutoModel": "own.Own"}
    )
    with pytest.raises(PublishedError, match="has no 'own', and remote code is never run"):
        backbone(folder)
    # beside a known kind it is not looked at
    change_config(folder, model_type="videomae")
    assert backbone(folder).feature_dim == 32
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_hidden_layers": 3}, "do not fit the model: they lack"),
        ({"intermediate_size": 64}, "intermediate|size of|cannot be loaded|do not fit"),
        ({"hidden_act": "nothing"}, "no model|cannot be loaded"),
        ({"num_attention_heads": 5}, "no model|cannot be loaded|not the settings"),
        ({"hidden_size": "wide"}, "no model|cannot be loaded|not the settings|hidden_size"),
    ],
)
def test_settings_that_are_not_the_weights_are_refused(tmp_path, change, said):
    folder = change_config(write_model(tmp_path / "model", "videomae"), **change)
    with pytest.raises(PublishedError, match=said):
        backbone(folder)


def test_damaged_weights_are_refused(tmp_path):
    folder = write_model(tmp_path / "model", "videomae")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(PublishedError, match="cannot be loaded"):
        backbone(folder)


def test_a_model_of_texts_is_refused(tmp_path):
    import transformers as t

    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 99}
    t.BertModel(t.BertConfig(**small, intermediate_size=16)).save_pretrained(tmp_path)
    with pytest.raises(PublishedError, match="does not take pixels"):
        backbone(tmp_path)


def test_tadaconv_does_not_go_in(folders):
    with pytest.raises(PublishedError, match="not into this one"):
        backbone(folders("videomae"), insert="*")


def test_without_the_library_one_line_says_what_to_install(folders, monkeypatch):
    takes = describe(f"hf:{folders('videomae')}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(PublishedError, match=r"pip install transformers \(the extra hf\)"):
        published_backbone("hf:x", num_classes=3, takes=takes)
