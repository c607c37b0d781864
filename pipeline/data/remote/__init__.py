"""Files in cloud stores, on web servers or on slow disks, brought to this machine whole and within a limit.

Knows nothing of what is in them, and reads none.
"""
