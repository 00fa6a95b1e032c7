"""Vision-RWKV (arXiv 2403.02308) as parts of the backbone, one idea a file."""
