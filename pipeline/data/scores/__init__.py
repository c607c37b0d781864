"""Class scores of videos that were made elsewhere: the forms of their files, and whose classes they are.

Knows nothing of proposals and of how scores are used.
"""
