"""Operators of LCR.

``bi_wkv`` is the bidirectional WKV at the heart of the CrossRWKV gate;
``bi_wkv_naive`` is its float64 reference.
"""

from .flops import bi_wkv_multiply_adds
from .functional import bi_wkv
from .naive import bi_wkv_naive

__all__ = ["bi_wkv", "bi_wkv_multiply_adds", "bi_wkv_naive"]
