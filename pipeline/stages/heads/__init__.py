"""The stages of the heads: the training of each, and what it then finds in the evaluation videos.

Knows nothing of how features were made and of evaluation.
"""
