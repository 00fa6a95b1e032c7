"""Mends for faults of the packages that LCR stands on."""

from __future__ import annotations


def apply_mends() -> None:
    """Apply every mend that this environment needs."""
