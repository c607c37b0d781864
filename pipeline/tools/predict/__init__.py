"""`tada-loc predict`: a trained model on any videos, what it finds kept by video, and written as people need it.

Knows nothing of the command line.
"""
