"""Parts of the model as engines run them best: the same result, fewer operators.

Each part takes the place of the module it is made from, in a copy of the model that
only reads one frame at a time and is exported. Weights that training keeps apart are
joined, and whatever depends on weights and places alone is found here, once.
"""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.backbone import LCRBackbone
from ..models.gate import CrossRWKVGate
from ..models.mixers import BiWKVMixer
from ..models.patch_embed import CausalConvStem, PatchEmbed
from ..models.rope import Rotation
from ..models.state import Tree

MAX_EXPONENT = 81.0
"""Of e, in the factors of :class:`WKV`: float32 ends at 88, the rest is the keys'."""


class WKV(nn.Module):
    """The operator for a decay a channel and a known number of tokens.

    Works in chunks of S tokens, as few as the decays allow. Within a chunk the decay
    between two tokens is split at the chunk's middle m,

        w^(t-s-1) = w^(t-m-1/2) * w^(m-1/2-s),

    a factor for the receptance and one for the key, so that plain matrix products
    give the scores: one for the tokens before, one for those after. Between chunks a
    matrix ``[K, V]`` in either direction sums up what lies behind, as in chunked
    linear attention (arXiv 2312.06635). Exact but for rounding; in matrix products it
    takes less time in an engine than a tree, and far fewer operators.

    Args:
        log_decay: ``(H, K)``, below 0.
        bonus: ``(H, K)``.
        tokens: L.
    """

    ahead: Tensor
    behind: Tensor
    own: Tensor
    to_border: Tensor
    step: Tensor
    before: Tensor
    after: Tensor

    def __init__(self, log_decay: Tensor, bonus: Tensor, tokens: int) -> None:
        super().__init__()
        # What is faster still leaves nothing of the token after next.
        log_decay = log_decay.clamp(min=-MAX_EXPONENT)
        fastest = float(-log_decay.min())
        largest = max(1, math.floor(2 * MAX_EXPONENT / max(fastest, 1e-6)))
        self.num_chunks = -(-tokens // largest)
        self.size = -(-tokens // self.num_chunks)
        self.padding = self.num_chunks * self.size - tokens
        place = torch.arange(self.size)
        exponent = (place - self.size / 2)[:, None] * log_decay.double()[:, None]
        # [H, 1, S, K]: the same for every chunk.
        self.register_buffer("ahead", exponent.exp().float()[:, None])
        behind = (-exponent - log_decay[:, None]).exp().float()
        self.register_buffer("behind", behind[:, None])
        # At t = s the two factors leave 1 / w.
        own = (bonus.double() * log_decay.double().exp()).float()
        self.register_buffer("own", own[:, None, None])
        # From a chunk's middle to its end: the square, over a chunk, may underflow.
        half = (self.size / 2 * log_decay).exp()[:, None, :, None]
        self.register_buffer("to_border", half)
        self.register_buffer("step", half[:, 0].square())
        self.register_buffer("before", place[:, None] > place)
        self.register_buffer("after", place[:, None] < place)

    def forward(self, r: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Mix tokens of heads ``[B, H, L, K]``; same shape."""
        tokens = r.shape[2]
        if self.padding:
            r, k, v = (F.pad(x, (0, 0, 0, self.padding)) for x in (r, k, v))
        r, k, v = (x.unflatten(2, (self.num_chunks, self.size)) for x in (r, k, v))
        forward, backward = r * self.ahead, r * self.behind
        past, future = k * self.behind, k * self.ahead
        own = (forward * past * self.own).sum(dim=-1, keepdim=True)
        scores = torch.where(self.after, backward @ future.mT, own)
        scores = torch.where(self.before, forward @ past.mT, scores)
        mixed = scores @ v
        if self.num_chunks > 1:
            mixed = mixed + forward @ self._behind(past.mT @ v, False)
            mixed = mixed + backward @ self._behind(future.mT @ v, True)
        mixed = mixed.flatten(2, 3)
        return mixed[:, :, :tokens] if self.padding else mixed

    def _behind(self, sums: Tensor, reverse: bool) -> Tensor:
        """What chunks see of those behind them, from sums ``[B, H, chunks, K, V]``."""
        chunks = list((sums * self.to_border).unbind(dim=2))
        if reverse:
            chunks.reverse()
        seen = [torch.zeros_like(chunks[0]), chunks[0]]
        for chunk in chunks[1:-1]:
            seen.append(seen[-1] * self.step + chunk)
        if reverse:
            seen.reverse()
        return torch.stack(seen, dim=2) * self.to_border


class GatePart(nn.Module):
    """:class:`.gate.CrossRWKVGate` with the operator written out.

    Args:
        gate: Its mixer is :class:`.mixers.BiWKVMixer`.
        tokens: L.
    """

    swap: Tensor

    def __init__(self, gate: CrossRWKVGate, tokens: int) -> None:
        super().__init__()
        self.num_heads = gate.num_heads
        self.receptance, self.gate = _halves(gate.receptance_gate)
        self.key, self.value = _halves(gate.key_value)
        self.norm, self.output = gate.norm, gate.output
        mixer = gate.mixer
        assert isinstance(mixer, BiWKVMixer)
        self.wkv = WKV(-mixer.decay_speed.exp(), mixer.bonus, tokens)
        half = mixer.bonus.shape[1] // 2
        # Swaps the halves of a head: less memory to move than slices.
        self.register_buffer("swap", torch.eye(2 * half).roll(half, 0))

    def forward(
        self, query: Tensor, source: Tensor, rotation: Rotation | None
    ) -> Tensor:
        """As the gate."""
        receptance, key = self.receptance(query), self.key(source)
        receptance, key = self._heads(receptance), self._heads(key)
        if rotation is not None:
            cos, sin = (part[:, :, 0] for part in rotation)
            cos, sin = torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)
            receptance = receptance * cos + (receptance @ self.swap) * sin
            key = key * cos + (key @ self.swap) * sin
        mixed = self.wkv(receptance, key, self._heads(self.value(source)))
        return self.output(self.norm(mixed.transpose(1, 2), self.gate(query)))

    def _heads(self, tokens: Tensor) -> Tensor:
        """``[N, T, L, C]`` as ``[N * T, H, L, K]``."""
        heads = tokens.unflatten(-1, (self.num_heads, -1)).flatten(0, 1)
        return heads.transpose(1, 2)


class StemPart(PatchEmbed):
    """:class:`.patch_embed.CausalConvStem` with its batch norms in its convolutions.

    Args:
        stem: Its statistics stay as they are. What it keeps is scaled by its norms.
    """

    def __init__(self, stem: CausalConvStem) -> None:
        nn.Module.__init__(self)
        self.init_state = stem.init_state  # type: ignore[method-assign]
        self.convs = nn.ModuleList()
        for conv, norm in zip(stem.convs, stem.norms, strict=True):
            assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None and norm.running_var is not None
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            now, change = (conv.weight * scale[:, None, None, None]).chunk(2, dim=1)
            bias = norm.bias - norm.running_mean * scale
            both = nn.Conv2d(now.shape[1], 2 * len(now), 3, 2, 1)
            both.weight = nn.Parameter(torch.cat([now + change, change]))
            both.bias = nn.Parameter(torch.cat([bias, torch.zeros_like(bias)]))
            self.convs.append(both)

    def forward(self, frames: Tensor, before: Tree) -> tuple[Tensor, Tree]:
        """As the stem, of one frame: ``[N, 1, C, H, W]``."""
        maps, kept = frames.flatten(0, 1), []
        for i, conv in enumerate(self.convs):
            if i:
                maps = maps.relu()
            now, last = conv(maps).chunk(2, dim=1)
            maps = now - before[i]
            kept.append(last)
        return maps.flatten(2).transpose(1, 2).unsqueeze(1), tuple(kept)


@torch.no_grad()
def with_parts(backbone: LCRBackbone, size: tuple[int, int]) -> LCRBackbone:
    """Copy a model with its parts in place, for frames of one size.

    Args:
        backbone: In evaluation; it stays as it is.
        size: ``(height, width)`` of the frames.
    """
    backbone = copy.deepcopy(backbone).eval()
    patch = backbone.patch_size
    tokens = backbone.num_prefix + (size[0] // patch) * (size[1] // patch)
    for block in backbone.blocks:
        gate = getattr(block, "gate", None)
        # Only the static mixer: a decay a token is no constant.
        if isinstance(gate, CrossRWKVGate) and type(gate.mixer) is BiWKVMixer:
            block.gate = GatePart(gate, tokens)
    if isinstance(backbone.frame_embed, CausalConvStem):
        backbone.frame_embed = StemPart(backbone.frame_embed)
    return backbone


def _halves(linear: nn.Linear) -> tuple[nn.Linear, nn.Linear]:
    """The two linears that one joins."""
    weights, biases = linear.weight.chunk(2), linear.bias.chunk(2)
    halves = []
    for weight, bias in zip(weights, biases, strict=True):
        half = nn.Linear(weight.shape[1], weight.shape[0])
        half.weight, half.bias = (
            nn.Parameter(weight.clone()),
            nn.Parameter(bias.clone()),
        )
        halves.append(half)
    return halves[0], halves[1]
