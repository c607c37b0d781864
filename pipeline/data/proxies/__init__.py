"""Proxies: small copies of training videos with key frames close together, which training clips are read from.

Knows nothing of how they are encoded; features are never made of them.
"""
