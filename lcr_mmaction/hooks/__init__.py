"""LCR's hooks, registered with MMAction2."""
