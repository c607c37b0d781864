"""THE training loop, and the two networks it trains.

Knows neither where samples come from nor what is done with the weights.
"""
