"""Proposals and class scores: where they come from, how they are kept by video, and what detections they make.

Knows nothing of stages.
"""
