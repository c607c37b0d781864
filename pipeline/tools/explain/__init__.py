"""`tada-loc explain`: what in a video speaks for a detection's class, as pictures, a film and numbers.

Knows nothing of the command line; what Grad-CAM is stands in `feature_extraction.explaining`.
"""
