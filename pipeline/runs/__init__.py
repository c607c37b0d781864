"""A run with a body: THE table of stages, what each depends on, the run that opens them, their order.

Knows no stage but by its row of the table.
"""
