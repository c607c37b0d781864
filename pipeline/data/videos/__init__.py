"""Which videos there are, and which of them a stage skips.

Knows nothing of what is done with their frames.
"""
