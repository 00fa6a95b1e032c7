"""The CrossRWKV gate: the frame asks, its edges answer."""

from __future__ import annotations

from torch import Tensor, nn

from ..ops.fused import gated_head_norm
from ..ops.linear import linear
from .mixers import MIXERS
from .rope import Rotation, rotate


class GatedHeadNorm(nn.GroupNorm):
    """Layer norm of every head by itself, times SiLU of a gate.

    A group norm whose groups are the heads.
    """

    def forward(self, heads: Tensor, gate: Tensor) -> Tensor:  # type: ignore[override]
        """Normalise ``[..., H, K]``, join the heads as ``[..., H * K]`` and gate."""
        return gated_head_norm(heads, gate, self.weight, self.bias, self.eps)


class CrossRWKVGate(nn.Module):
    """``A = W_a (SiLU(G) * LN_head(mix(R, K, V)))``.

    R and G are projected from the query, K and V from the source: what asks is the
    frame, what answers are its edges. A frame is mixed by itself.

    Args:
        dim: Channels C.
        num_heads: H; K = V = C / H.
        mixer: Name in :data:`MIXERS`.
    """

    def __init__(self, dim: int, num_heads: int, mixer: str) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.receptance_gate = nn.Linear(dim, 2 * dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.mixer = MIXERS[mixer](dim, num_heads, dim // num_heads)
        self.norm = GatedHeadNorm(num_heads, dim)
        self.output = nn.Linear(dim, dim, bias=False)

    def forward(
        self, query: Tensor, source: Tensor, rotation: Rotation | None
    ) -> Tensor:
        """Let the query read the source.

        Args:
            query: ``[N, T, L, C]``.
            source: ``[N, T, L, C]``.
            rotation: Rotary positions of receptance and key, or None.

        Returns:
            A, ``[N, T, L, C]``.
        """
        key, value = linear(self.key_value, source).chunk(2, dim=-1)
        receptance, gate = linear(self.receptance_gate, query).chunk(2, dim=-1)
        heads = [x.unflatten(-1, (self.num_heads, -1)) for x in (receptance, key)]
        if rotation is not None:
            heads = [rotate(x, rotation) for x in heads]
        heads.append(value.unflatten(-1, (self.num_heads, -1)))
        mixed = self.mixer(*(x.flatten(0, 1) for x in heads), source.flatten(0, 1))
        return linear(self.output, self.norm(mixed, gate))
