"""The pipeline: configuration, annotations, run folder, training loop, stages and command line."""
