"""What a notebook works with: a detector, the detections it finds with their picture, a finished run.

Knows nothing of the command line, prints nothing to standard output, and loads torch only where a network works.
"""
