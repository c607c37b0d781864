"""Random numbers that depend only on a position in the work, never on what ran before."""

from __future__ import annotations


def step_seed(seed: int, *position: int) -> int:
    """A well-mixed seed that depends only on the run's seed and the position."""
    state = seed & 0xFFFFFFFFFFFFFFFF
    for number in position:
        # SplitMix64's mixing: neighbouring positions must not give related streams.
        state = (state + 0x9E3779B97F4A7C15 * (number + 1)) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1
