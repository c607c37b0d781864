"""Networks as a configuration names them, their initial weights, and which of those are not trained.

Knows nothing of losses, of the training loop, and of clips.
"""
