"""Video files and folders of frames to frames by time: readers of several kinds behind one form.

Knows nothing of clips and networks.
"""
