"""`tada-loc compare`: results side by side, with how sure their differences are.

Returns plain values and their table; knows no page and no command.
"""
