"""What is drawn into the pictures of a video: fonts, looks of labels, a time line, small pictures mixed into frames.

Knows nothing of files and of how frames are decoded and encoded.
"""
