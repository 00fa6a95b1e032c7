"""LCR's backbones, registered with MMAction2."""
