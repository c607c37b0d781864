"""Videos to features: reading, sampling, backbones, extraction and feature files."""
