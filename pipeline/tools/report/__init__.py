"""What the report of a run, or of any detections, shows: plain values, gathered from what is on disk.

Knows no HTML and no command line: pages draw the values.
"""
