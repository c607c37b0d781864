"""What the stages work on: annotations, videos, clips, windows and features.

Knows neither networks nor stages.
"""
