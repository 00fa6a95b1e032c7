"""What the benchmarks share: contestants, turns, peak memory, tables."""
