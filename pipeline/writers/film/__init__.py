"""Videos read picture by picture and written as MP4, with their sound.

Knows nothing of detections.
"""
