"""Data: sources of images and text, and batches that are pure functions of a seed and a step."""
