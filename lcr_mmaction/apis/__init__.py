"""Using a trained LCR: streams, one frame at a time."""
