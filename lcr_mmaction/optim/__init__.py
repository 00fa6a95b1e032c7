"""Optimisation that MMAction2 lacks."""

from .layer_decay import LayerDecayOptimWrapperConstructor

__all__ = ["LayerDecayOptimWrapperConstructor"]
