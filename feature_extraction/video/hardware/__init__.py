"""Videos decoded by an NVIDIA GPU (NVDEC), through PyAV: the same frames at the same times as the usual reader's.

Knows nothing of clips and networks; torch is imported here, and by nothing else of a video's reading.
"""
