"""`tada-loc demo`: the embedded dataset, drawn from a seed, and the figure it is expected to give.

No other room needs it.
"""
