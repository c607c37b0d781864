"""A trained model on one video: from a file to detections, as the stages make them of a validation video.

Knows nothing of model files, of what is written of a prediction, and of many videos.
"""
