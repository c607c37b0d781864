"""Draw the demo's scenes: one moving object, distractors, a textured background, a shaky noisy camera.

A pose is four numbers, each from 0 to 1 over the range of one property of the object:
    0  x      across the frame
    1  y      down the frame
    2  size   from small to large, in equal ratios
    3  angle  from turned left to turned right, clockwise on the screen
Each frame is drawn from its own pose, so a motion drawn backwards is the same frames in reverse order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ACROSS, DOWN = (0.2, 0.8), (0.35, 0.65)  # the object's centre, as parts of the frame
SMALLEST, LARGEST = 0.13, 0.33  # its half length, as a part of the frame's short side
TURNS = (-0.28, 0.28)  # its angle, in turns


@dataclass(frozen=True)
class Look:
    """What one video's things look like: drawn once per video, never changed within it."""

    width: int
    height: int
    background: np.ndarray  # [H, W] in 0..1, periodic
    background_colours: np.ndarray  # [2, 3] grey levels
    object_colours: np.ndarray  # [2, 3] grey levels
    half_width: float  # of the wedge, in half lengths
    taper: float  # how much narrower the wedge gets towards its front
    waves: np.ndarray  # [waves, 3] texture on the object: two frequencies and a phase
    spot_radius: np.ndarray  # [spots] pixels
    spot_colours: np.ndarray  # [spots, 3] grey levels
    noise: float  # standard deviation in grey levels


def random_look(rng: np.random.Generator, width: int, height: int) -> Look:
    """Draw textures, colours, shape and noise level of one video."""
    back, front = rng.uniform(10, 90, (2, 3)), rng.uniform(150, 250, (2, 3))
    spots = int(rng.integers(1, 4))
    return Look(
        width=width,
        height=height,
        background=_periodic_texture(rng, width, height),
        background_colours=back,
        object_colours=front,
        half_width=rng.uniform(0.45, 0.65),
        taper=rng.uniform(0.35, 0.75),
        waves=np.stack([*rng.uniform(-5, 5, (2, 3)), rng.uniform(0, 2 * np.pi, 3)], axis=1),
        spot_radius=rng.uniform(1.5, 3.5, spots),
        spot_colours=rng.uniform(20, 250, (spots, 3)),
        noise=rng.uniform(3.0, 8.0),
    )


def draw_frames(
    look: Look,
    poses: np.ndarray,
    spots: np.ndarray,
    shake: np.ndarray,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Draw frames: each depends on its own row of the arguments only, and on its own noise.

    Args:
        look: the video's textures and colours.
        poses: poses of the object, [frames, 4].
        spots: centres of the distractors in pixels, [frames, spots, 2].
        shake: offset of the camera in pixels, [frames, 2].
        rng: source of the camera noise; None for none.

    Returns:
        uint8 [frames, H, W, 3].
    """
    back = look.background_colours.astype(np.float32)
    level = _shifted(look.background, shake)[..., None]
    image = back[0] + level * (back[1] - back[0])
    for index, (radius, colour) in enumerate(zip(look.spot_radius, look.spot_colours, strict=True)):
        dx, dy = _offsets(look, spots[:, index] + shake)
        distance = np.sqrt(dx[:, None, :] ** 2 + dy[:, :, None] ** 2)
        _blend(image, np.clip(radius - distance + 0.5, 0, 1), colour.astype(np.float32))
    _draw_object(image, look, poses.astype(np.float32), shake)
    if rng is not None:
        grain = rng.standard_normal(image.shape[:3], dtype=np.float32)
        image += np.float32(look.noise) * grain[..., None]
    drawn: np.ndarray = np.clip(image + 0.5, 0, 255).astype(np.uint8)
    return drawn


def _draw_object(image: np.ndarray, look: Look, poses: np.ndarray, shake: np.ndarray) -> None:
    """Blend the object, a textured wedge, into image [frames, H, W, 3], in place."""
    x, y, size, angle = poses.T
    half = SMALLEST * min(look.width, look.height) * (LARGEST / SMALLEST) ** size
    place = np.stack([_within(ACROSS, x) * look.width, _within(DOWN, y) * look.height], axis=1)
    dx, dy = _offsets(look, place + shake)
    turn = 2 * np.pi * _within(TURNS, angle)
    cos, sin = (np.cos(turn) / half)[:, None], (np.sin(turn) / half)[:, None]
    along = (dx * cos)[:, None, :] + (dy * sin)[:, :, None]
    across = (-dx * sin)[:, None, :] + (dy * cos)[:, :, None]
    flank = np.float32(look.half_width) * (1 - np.float32(look.taper) * along) - np.abs(across)
    inside = np.minimum(flank, 1 - np.abs(along)) * half[:, None, None]
    wave = sum(np.sin(a * along + b * across + c) for a, b, c in look.waves.astype(np.float32))
    front = look.object_colours.astype(np.float32)
    colour = front[0] + (0.5 + wave / 6)[..., None] * (front[1] - front[0])
    _blend(image, np.clip(inside + 0.5, 0, 1), colour)


def _within(bounds: tuple[float, float], part: np.ndarray) -> np.ndarray:
    return np.float32(bounds[0]) + part * np.float32(bounds[1] - bounds[0])


def _blend(image: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> None:
    """Lay colour over image [frames, H, W, 3] where cover [frames, H, W] says, in place."""
    image += cover[..., None] * (colour - image)


def _offsets(look: Look, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give every column's and row's shortest way round from place [frames, 2], in pixels."""
    sides = []
    for axis, size in enumerate((look.width, look.height)):
        away = np.arange(size) - place[:, axis, None]
        sides.append((np.mod(away + size / 2, size) - size / 2).astype(np.float32))
    return sides[0], sides[1]


def _shifted(texture: np.ndarray, shake: np.ndarray) -> np.ndarray:
    """Shift a periodic texture [H, W] by shake [frames, 2] pixels, bilinearly."""
    texture = texture.astype(np.float32)
    height, width = texture.shape
    whole = np.floor(shake).astype(int)
    part = (shake - whole).astype(np.float32)
    rows = (np.arange(height) - whole[:, 1, None])[:, :, None]
    columns = (np.arange(width) - whole[:, 0, None])[:, None, :]
    across, down = part[:, 0, None, None], part[:, 1, None, None]

    def row(extra: int) -> np.ndarray:
        line = (rows - extra) % height
        here, left = texture[line, columns % width], texture[line, (columns - 1) % width]
        shifted: np.ndarray = here + across * (left - here)
        return shifted

    upper = row(0)
    moved: np.ndarray = upper + down * (row(1) - upper)
    return moved


def _periodic_texture(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw smooth noise [H, W] in 0..1 that joins up at its edges."""
    spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
    down = np.fft.fftfreq(height)[:, None] * height
    across = np.fft.rfftfreq(width)[None, :] * width
    spectrum *= np.exp(-((down**2 + across**2) / (2 * rng.uniform(2.0, 6.0) ** 2)))
    texture: np.ndarray = np.fft.irfft2(spectrum, s=(height, width))
    texture -= texture.min()
    texture /= texture.max()
    return texture
