"""What networks say of videos, as tables and figures: proposals, class scores, detections, accuracies.

Knows no stage.
"""
