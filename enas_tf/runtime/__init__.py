"""The runtime of a run: devices, processes, checkpoints, files, seeds, signals and reporting."""
