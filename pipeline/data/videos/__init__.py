"""Which videos there are, and which of them a stage goes without.

Knows nothing of what is done with their frames.
"""
