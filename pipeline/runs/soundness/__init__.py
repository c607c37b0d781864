"""What a stage that lies ahead would refuse is refused here, before the first one works for hours.

Looks at settings, at annotations, at which videos there are and how long they are; `tada-loc doctor` looks closer.
"""
