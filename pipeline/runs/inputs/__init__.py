"""What stages depend on: settings, annotations, videos and what other stages made, by content, now and ahead.

Knows of what is on disk what manifests and ledgers say; does no stage's work.
"""
