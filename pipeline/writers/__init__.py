"""What is written of predictions: tables, subtitles, files that annotation tools open, videos.

Knows nothing of models, of many videos' progress and of the command line.
"""
