"""`tada-loc proxies`: small copies of the training videos, made once, which training clips are read from.

Knows nothing of networks; where proxies are and what they are is in pipeline/data/proxies.
"""
