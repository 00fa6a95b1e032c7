"""The CrossRWKV gate: the frame asks, its edges answer."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from .mixers import MIXERS
from .rope import Rotation, rotate

KEY_VALUE_SOURCES = ("edge", "edge+frame")


class GateInputs(NamedTuple):
    """What the gate can compute of all frames before the recurrence starts.

    Attributes:
        query: Frame tokens that receptance and gate are projected from,
            ``[N, T, L, C]``.
        key: ``[N, T, L, H, K]``.
        value: ``[N, T, L, H, K]``.
        decay: Log-decay, ``[N, T, L, H, K]``, ``(H, K)`` or None.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    decay: Tensor | None

    def frame(self, t: int) -> GateInputs:
        """Inputs of frame ``t`` alone, T = 1."""
        now = slice(t, t + 1)
        decay = self.decay
        if decay is not None and decay.dim() > 2:
            decay = decay[:, now]
        return GateInputs(
            self.query[:, now], self.key[:, now], self.value[:, now], decay
        )


class HeadNorm(nn.GroupNorm):
    """Layer norm of every head by itself: a group norm whose groups are the heads.

    On a CPU the layer norm of rows takes half the time of PyTorch's group norm.
    """

    def forward(self, heads: Tensor) -> Tensor:
        """Normalise ``[..., H, K]`` and join the heads: ``[..., H * K]``."""
        normed = F.layer_norm(heads, heads.shape[-1:], eps=self.eps).flatten(-2)
        return normed * self.weight + self.bias


class CrossRWKVGate(nn.Module):
    """``A_t = W_a (SiLU(G) * LN_head(mix(R, K, V)))``.

    R and G are projected from the frame, K and V from the edges (and, by option,
    the frame). With feedback, the previous hidden state is added to the frame; the
    paper combines the two, but is silent on how.

    Args:
        dim: Channels C.
        num_heads: H; K = V = C / H.
        mixer: Name in :data:`MIXERS`.
        kv_source: ``'edge'`` or ``'edge+frame'``.
    """

    def __init__(self, dim: int, num_heads: int, mixer: str, kv_source: str) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.with_frame = kv_source == "edge+frame"
        self.receptance_gate = nn.Linear(dim, 2 * dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.mixer = MIXERS[mixer](dim, num_heads, dim // num_heads)
        self.norm = HeadNorm(num_heads, dim)
        self.output = nn.Linear(dim, dim, bias=False)

    def prepare(
        self, frame: Tensor, edge: Tensor, rotation: Rotation | None
    ) -> GateInputs:
        """Project all that does not depend on the state.

        Args:
            frame: Shifted frame tokens x, ``[N, T, L, C]``.
            edge: Edge tokens e, ``[N, T, L, C]``.
            rotation: Rotary positions, or None.

        Returns:
            Inputs of :meth:`forward`.
        """
        source = edge + frame if self.with_frame else edge
        key, value = self.key_value(source).chunk(2, dim=-1)
        key = key.unflatten(-1, (self.num_heads, -1))
        value = value.unflatten(-1, (self.num_heads, -1))
        if rotation is not None:
            key = rotate(key, rotation)
        return GateInputs(frame, key, value, self.mixer.decay(source))

    def forward(
        self, inputs: GateInputs, hidden: Tensor | None, rotation: Rotation | None
    ) -> Tensor:
        """Let the frames and the state read the edges.

        Args:
            inputs: From :meth:`prepare`.
            hidden: H_{t-1}, ``[N, L, C]``, of inputs of one frame; None for a gate
                without feedback.
            rotation: As in :meth:`prepare`.

        Returns:
            A, ``[N, T, L, C]``.
        """
        query, key, value, decay = inputs
        if hidden is not None:
            query = query + hidden.unsqueeze(1)
        receptance, gate = self.receptance_gate(query).chunk(2, dim=-1)
        receptance = receptance.unflatten(-1, (self.num_heads, -1))
        if rotation is not None:
            receptance = rotate(receptance, rotation)
        if decay is not None and decay.dim() > 2:
            decay = decay.flatten(0, 1)
        receptance, key, value = (x.flatten(0, 1) for x in (receptance, key, value))
        mixed = self.norm(self.mixer(receptance, key, value, decay))
        return self.output(mixed.view(gate.shape) * F.silu(gate))
