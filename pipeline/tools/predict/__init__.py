"""`tada-loc predict`: a trained model on any videos, its detections kept per video and written in many formats.

Knows nothing of the command line.
"""
