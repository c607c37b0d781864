"""Small random models of each kind that transformers has, in folders as their publishers write them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

SIDE, FRAMES = 32, 8
_SMALL = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "image_size": SIDE, "patch_size": 16,
}  # fmt: skip
_JEPA = {
    "crop_size": SIDE, "patch_size": 16, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "mlp_ratio": 2.0, "pred_hidden_size": 16, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1,
    "pred_num_mask_tokens": 2, "tubelet_size": 2,
}  # fmt: skip
VIDEO = ("videomae", "timesformer", "vivit", "vjepa2")
IMAGE = ("dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "clip", "resnet")
COLOURS = {"image_mean": [0.4, 0.45, 0.5], "image_std": [0.2, 0.25, 0.3]}


def model_of(kind: str, seed: int = 0, frames: int = FRAMES, **more: object) -> nn.Module:
    """A model as it is published: of VideoMAE, TimeSformer and ViViT with a classifier of its own."""
    import transformers as t

    torch.manual_seed(seed)
    small = {**_SMALL, **more}
    made = {
        "videomae": lambda: t.VideoMAEForVideoClassification(
            t.VideoMAEConfig(**small, num_frames=frames)
        ),
        "timesformer": lambda: t.TimesformerForVideoClassification(
            t.TimesformerConfig(**small, num_frames=frames)
        ),
        "vivit": lambda: t.VivitForVideoClassification(
            t.VivitConfig(**small, num_frames=frames, tubelet_size=[2, 16, 16])
        ),
        "vjepa2": lambda: t.VJEPA2Model(t.VJEPA2Config(**{**_JEPA, **more}, frames_per_clip=64)),
        "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**small)),
        "dinov2_with_registers": lambda: t.Dinov2WithRegistersModel(
            t.Dinov2WithRegistersConfig(**small)
        ),
        "dinov3_vit": lambda: t.DINOv3ViTModel(
            t.DINOv3ViTConfig(**small, num_register_tokens=2, use_gated_mlp=True)
        ),
        "vit": lambda: t.ViTModel(t.ViTConfig(**small)),
        "clip": lambda: t.CLIPModel(
            t.CLIPConfig(
                vision_config=small,
                text_config={**_SMALL, "vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2},
            )
        ),
        "resnet": lambda: t.ResNetModel(
            t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
        ),
    }
    model: nn.Module = made[kind]().eval()
    with torch.no_grad():
        for parameter in model.parameters():  # what begins at zero says something, too
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def write_model(
    folder: Path,
    kind: str,
    *,
    seed: int = 0,
    frames: int = FRAMES,
    processor: dict | None = None,
    **more: object,
) -> Path:
    """A folder with the model's settings, weights as safetensors, and the settings of its processor."""
    model_of(kind, seed, frames, **more).save_pretrained(folder)
    values = {
        "do_resize": True, "size": {"shortest_edge": SIDE}, "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE}, "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, **COLOURS, **(processor or {}),
    }  # fmt: skip
    name = "video_preprocessor_config.json" if kind == "vjepa2" else "preprocessor_config.json"
    (folder / name).write_text(json.dumps(values))
    return folder


def called_directly(folder: Path, video: Tensor) -> Tensor:
    """Features of clips [B, 3, T, H, W] as transformers gives them: the mean of the tokens; of frames, their mean."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    model = getattr(model, "vision_model", model)
    clips = video.transpose(1, 2)
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    with torch.no_grad():
        if kind in VIDEO:
            return model(clips).last_hidden_state.mean(1)
        found = model(clips.flatten(0, 1)).last_hidden_state
        found = found.mean(1) if found.dim() == 3 else found.mean((2, 3))
        return found.unflatten(0, clips.shape[:2]).mean(1)
