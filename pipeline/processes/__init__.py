"""Child processes and their signals, processes that share a run, and devices.

Knows nothing of videos, stages or run folders.
"""
