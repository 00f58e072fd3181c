"""Random architectures trained from scratch and tested: the ground truth of a small task."""
