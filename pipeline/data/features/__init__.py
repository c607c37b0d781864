"""Features of videos: those of a run with the times they stand for, and those made elsewhere.

Knows nothing of windows and networks.
"""
