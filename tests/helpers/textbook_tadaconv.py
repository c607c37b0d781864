"""TAdaConv as the paper writes it: every frame has a kernel of its own (Eq. 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def kernel_of(weight, factors, calibrate):
    """The kernel [Co, Ci, kt, kh, kw] of one frame, multiplied by its factors (Eq. 3)."""
    out_channels, in_channels = weight.shape[:2]
    if calibrate == "in":
        return weight * factors[None, :, None, None, None]
    if calibrate == "out":
        return weight * factors[:, None, None, None, None]
    if calibrate == "kernel":
        return weight * factors.reshape(weight.shape[2:])
    before, after = factors.split((in_channels, out_channels))
    return weight * after[:, None, None, None, None] * before[None, :, None, None, None]


def framewise(video, weight, alpha, bias, stride, padding, calibrate):
    """For every output frame the 3-D convolution of its surroundings with a kernel of its own."""
    reach, time_stride = weight.shape[2] // 2, stride[0]
    padded = F.pad(video, (0, 0, 0, 0, reach, reach))
    clips = []
    for clip, factors in zip(padded, alpha, strict=True):
        frames = [
            F.conv3d(
                clip[None, :, t : t + weight.shape[2]],
                kernel_of(weight, factors[:, t], calibrate),
                bias,
                (1, *stride[1:]),
                (0, *padding),
            )
            for t in range(0, video.shape[2], time_stride)
        ]
        clips.append(torch.cat(frames, 2))
    return torch.cat(clips)


def framewise_3d(video, weight, alpha, *, padding=1, calibrate="in"):
    """Textbook 3-D form: for output frame t, a 3-D convolution with the kernel alpha_t * W."""
    shape = (1, -1, 1, 1, 1) if calibrate == "in" else (-1, 1, 1, 1, 1)
    clips = []
    for clip, factors in zip(video, alpha, strict=True):
        frames = [
            F.conv3d(clip[None], weight * factors[:, t].reshape(shape), padding=padding)[:, :, t]
            for t in range(video.shape[2])
        ]
        clips.append(torch.stack(frames, 2))
    return torch.cat(clips)


def grouped(video, weight, alpha, bias=None, *, stride=1, padding=0, calibrate="in"):
    """Textbook form: every frame of every clip gets its own kernel, in B*T groups."""
    batch, channels, length, height, width = video.shape
    scales = alpha.transpose(1, 2)[..., None, None]
    scales = scales[:, :, None] if calibrate == "in" else scales[:, :, :, None]
    kernels = (scales * weight).reshape(-1, channels, *weight.shape[2:])
    frames = video.transpose(1, 2).reshape(1, -1, height, width)
    output = F.conv2d(frames, kernels, None, stride, padding, groups=batch * length)
    output = output.reshape(batch, length, weight.shape[0], *output.shape[2:]).transpose(1, 2)
    return output if bias is None else output + bias[:, None, None, None]


def how_many(weight, calibrate):
    sizes = {"in": weight.shape[1], "out": weight.shape[0], "in_out": sum(weight.shape[:2])}
    return sizes.get(calibrate) or weight[0, 0].numel()
