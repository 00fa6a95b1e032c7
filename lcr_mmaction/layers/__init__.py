"""The parts of the model, one a file."""
