"""What a training tells of its steps and epochs: metrics.csv always, TensorBoard and W&B where asked for.

Knows nothing of networks, losses and stages; nothing here changes a training.
"""
