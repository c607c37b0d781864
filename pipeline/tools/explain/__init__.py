"""`tada-loc explain`: what in a video speaks for a detection's class, as pictures, a film and numbers.

Knows nothing of the command line; Grad-CAM itself is in `feature_extraction.explaining`.
"""
