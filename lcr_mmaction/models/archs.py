"""Widths and depths by name. Those of tiny, small and base are Vision-RWKV's."""

from __future__ import annotations

ARCHS: dict[str, dict[str, float]] = {
    "nano": dict(embed_dims=96, num_layers=2, num_heads=3, mlp_ratio=2.5),
    "paper": dict(embed_dims=192, num_layers=12, num_heads=3, mlp_ratio=2.5),
    "tiny": dict(embed_dims=192, num_layers=12, num_heads=3, mlp_ratio=13 / 6),
    "small": dict(embed_dims=384, num_layers=12, num_heads=6, mlp_ratio=13 / 6),
    "base": dict(embed_dims=768, num_layers=12, num_heads=12, mlp_ratio=13 / 6),
}


def find_arch(arch: str | dict) -> dict:
    """Find the sizes that a name stands for, or check those of a dict.

    Raises:
        ValueError: The name is unknown, or the sizes are incomplete or do not fit.
    """
    if isinstance(arch, str):
        if arch not in ARCHS:
            raise ValueError(
                f"arch={arch!r} is unknown: choose one of {sorted(ARCHS)} or give a "
                "dict"
            )
        arch = ARCHS[arch]
    missing = set(ARCHS["tiny"]) - set(arch)
    if missing:
        raise ValueError(f"arch lacks {sorted(missing)}: {arch}")
    if arch["embed_dims"] % arch["num_heads"]:
        raise ValueError(
            f"embed_dims={arch['embed_dims']} is not divisible by "
            f"num_heads={arch['num_heads']}"
        )
    return dict(arch)
