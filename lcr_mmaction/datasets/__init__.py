"""LCR's datasets, registered with MMAction2."""
