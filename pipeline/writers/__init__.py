"""What is found in a video, written for others: tables, subtitles, annotation tools, videos.

Knows no model, no run folder's stages and no terminal: it takes a `Prediction` and writes files whole.
"""
