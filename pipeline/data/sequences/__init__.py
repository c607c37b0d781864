"""Videos as sequences of positions, as ActionFormer sees them: their times, samples and targets.

Knows nothing of videos' frames.
"""
