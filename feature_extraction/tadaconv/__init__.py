"""TAdaConv and the temporal aggregation (Huang et al., ICLR 2022), for any network.

Knows none of the networks here.
"""
