"""One question about a video file each: its stream, real key frames, its end, its length, what it is instead.

Knows nothing of readers and of asked times, and opens no decoder.
"""
