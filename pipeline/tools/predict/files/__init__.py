"""What is written of predictions: the files of a video, those of all, and what is kept to make others of.

Knows nothing of the processes that make them.
"""
