"""Pipeline transforms, registered in ``mmaction.registry.TRANSFORMS``."""

from .edge_extract import EDGE_METHODS, EdgeExtract, edge_map
from .tube_mask import TubeMask

__all__ = ["EDGE_METHODS", "EdgeExtract", "TubeMask", "edge_map"]
