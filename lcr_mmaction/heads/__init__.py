"""LCR's heads, registered with MMAction2."""
