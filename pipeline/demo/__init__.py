"""`tada-loc demo`: the embedded dataset, drawn from a seed, and the figure it is promised to give.

No other room needs it.
"""
