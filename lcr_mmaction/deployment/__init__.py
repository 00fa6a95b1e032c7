"""A trained model outside of training: the one that ships, graphs for export."""

from .shipped import ShippedModel, shipped_model

__all__ = ["ShippedModel", "shipped_model"]
