"""Features that other programs made: where each video's are, in which form, and whether they fit the video.

Knows nothing of run folders; what is taken becomes feature files in `pipeline.stages.import_features`.
"""
