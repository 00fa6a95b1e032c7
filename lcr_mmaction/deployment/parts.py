"""Parts of the model as engines run them best: the same result, fewer operators.

Each part takes the place of the module it is made from, in a copy of the model that
only reads one frame at a time and is exported. Weights that training keeps apart are
joined, and whatever depends on weights and places alone is found here, once.
"""

from __future__ import annotations

import copy
import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.backbone import LCRBackbone
from ..models.block import BlockContext, LCRBlock, PlainLCRBlock
from ..models.cells import LeakyCell
from ..models.elapsed import as_factor, trace
from ..models.gate import CrossRWKVGate
from ..models.mixers import BiWKVMixer
from ..models.patch_embed import CausalConvStem, PatchEmbed
from ..models.rope import Rotation
from ..models.state import BlockState, Tree
from ..models.token_shift import CausalConvShift

MAX_EXPONENT = 81.0
"""Of e, in the factors of :class:`WKV`: float32 ends at 88, the rest is the keys'."""
MAX_CHUNK = 64
"""Tokens whose scores are found one by one: halving costs less than more of them."""


class WKV(nn.Module):
    """The operator for a decay a channel and a known number of tokens.

    Tokens are halved until S are left together, as few as the decays demand. Among
    these the decay between two tokens is split at their middle m,

        w^(t-s-1) = w^(t-m-1/2) * w^(m-1/2-s),

    a factor for the receptance and one for the key, so that plain matrix products
    give the scores: one for the tokens before, one for those after. The halves of
    every pair face each other at a border b,

        w^(t-s-1) = w^(t-b) * w^(b-s-1),

    where no factor is above 1: a matrix ``[K, V]`` sums up what a half shows to the
    other, as in chunked linear attention (arXiv 2312.06635), and one product does for
    all pairs of a size, both ways. Exact but for rounding.

    Args:
        log_decay: ``(H, K)``, below 0.
        bonus: ``(H, K)``.
        tokens: L.
    """

    ahead: Tensor
    behind: Tensor
    bonus: Tensor
    before: Tensor
    after: Tensor
    other: Tensor

    def __init__(self, log_decay: Tensor, bonus: Tensor, tokens: int) -> None:
        super().__init__()
        # What is faster still leaves nothing of the token after next.
        log_decay = log_decay.clamp(min=-MAX_EXPONENT).double()
        fastest = float(-log_decay.min())
        largest = max(1, math.floor(2 * MAX_EXPONENT / max(fastest, 1e-6)))
        largest = min(largest, MAX_CHUNK)
        self.levels = max(0, math.ceil(math.log2(tokens / largest)))
        self.num_chunks = 2**self.levels
        self.size = -(-tokens // self.num_chunks)
        self.padding = self.num_chunks * self.size - tokens
        place = torch.arange(self.size)
        rate = log_decay[:, None]
        exponent = (place - self.size / 2)[:, None] * rate
        # Factors are [H, 1, S, K]: the same for every chunk.
        self._keep("ahead", exponent.exp()[:, None])
        self._keep("behind", (-exponent - rate).exp()[:, None])
        self._keep("bonus", bonus[:, None, None])
        self.register_buffer("before", place[:, None] > place)
        self.register_buffer("after", place[:, None] < place)
        self.register_buffer("other", torch.tensor([1, 0]))
        for level in range(self.levels):
            from_start = (torch.arange(self.size << level)[:, None] * rate).exp()
            pair = torch.stack([from_start.flip(1), from_start], dim=1)
            self._keep(f"facing{level}", pair[:, None])

    def _keep(self, name: str, factor: Tensor) -> None:
        self.register_buffer(name, factor.float().clone())

    def forward(self, r: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Mix tokens of heads ``[H, L, K]``; same shape."""
        tokens = r.shape[1]
        if self.padding:
            r, k, v = (F.pad(x, (0, 0, 0, self.padding)) for x in (r, k, v))
        mixed = self._within(
            *(x.unflatten(1, (self.num_chunks, self.size)) for x in (r, k, v))
        ).flatten(1, 2)
        for level in range(self.levels):
            facing = getattr(self, f"facing{level}")
            r2, k2, v2 = (x.unflatten(1, (-1, *facing.shape[2:4])) for x in (r, k, v))
            r2, k2, v2 = (x.flatten(0, 1) for x in (r2 * facing, k2 * facing, v2))
            sums = (k2.mT @ v2).index_select(1, self.other)
            mixed = mixed + (r2 @ sums).view(mixed.shape)
        return mixed[:, :tokens] if self.padding else mixed

    def _within(self, r: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Mix the tokens of every chunk, ``[H, chunks, S, K]``."""
        own = (r * k * self.bonus).sum(dim=-1, keepdim=True)
        past = (r * self.ahead) @ (k * self.behind).mT
        future = (r * self.behind) @ (k * self.ahead).mT
        scores = torch.where(self.before, past, torch.where(self.after, future, own))
        return scores @ v


class GatePart(nn.Module):
    """:class:`.gate.CrossRWKVGate` of one frame, with the operator written out.

    Args:
        gate: Its mixer is :class:`.mixers.BiWKVMixer`.
        tokens: L.
    """

    def __init__(self, gate: CrossRWKVGate, tokens: int) -> None:
        super().__init__()
        self.num_heads = gate.num_heads
        self.receptance, self.gate = _halves(gate.receptance_gate)
        self.key, self.value = _halves(gate.key_value)
        self.norm, self.output = gate.norm, gate.output
        mixer = gate.mixer
        assert isinstance(mixer, BiWKVMixer)
        self.wkv = WKV(-mixer.decay_speed.exp(), mixer.bonus, tokens)

    def forward(
        self, query: Tensor, source: Tensor, rotation: Rotation | None
    ) -> Tensor:
        """As the gate: one frame, ``[..., L, C]``."""
        shape = query.shape
        query, source = (x.reshape(1, *shape[-2:]) for x in (query, source))
        receptance, key = self.receptance(query), self.key(source)
        heads = [self._heads(x) for x in (receptance, key)]
        if rotation is not None:
            cos, sin = (torch.cat([x, x], -1).transpose(1, 2) for x in rotation)
            # OpenVINO knows this form, transposition included, as one operator.
            heads = [x * cos + self._turned(x) * sin for x in heads]
        heads.append(self._heads(self.value(source)))
        mixed = self.wkv(*(x[0] for x in heads)).transpose(0, 1)
        # A row a head: engines normalise the last axis of three in one operator.
        rows = mixed.flatten(0, 1)[None]
        normed = F.layer_norm(rows, rows.shape[-1:], eps=self.norm.eps)
        normed = normed.reshape(query.shape)
        gate = self.gate(query)
        gated = (normed * self.norm.weight + self.norm.bias) * (gate * gate.sigmoid())
        return self.output(gated).reshape(shape)

    def _heads(self, tokens: Tensor) -> Tensor:
        """``[1, L, C]`` as ``[1, H, L, K]``."""
        return tokens.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    @staticmethod
    def _turned(x: Tensor) -> Tensor:
        """A quarter turn of the channel pairs ``(i, i + K / 2)``."""
        left, right = x.chunk(2, dim=-1)
        return torch.cat([-right, left], dim=-1)


class BlockPart(nn.Module):
    """:class:`.block.LCRBlock` of one frame, in tensors ``[1, L, C]`` throughout.

    A step has neither clips nor time, and an axis for them keeps engines from joining
    what is elementwise: they do not see through a change of shape.

    Args:
        block: What :meth:`fits`.
        tokens: L.
    """

    def __init__(self, block: LCRBlock, tokens: int) -> None:
        super().__init__()
        assert isinstance(block.shift, CausalConvShift)
        assert isinstance(block.cell, LeakyCell)
        self.norm, self.shift, self.cell = block.norm, block.shift, block.cell
        self.gate = GatePart(block.gate, tokens)
        self.residual, self.frame_answers = block.residual, block.frame_answers
        self.init_state = block.init_state
        mix = block.channel_mix
        self.eps = block.channel_norm.eps
        self.key = _after_norm(block.channel_norm, mix.key)
        self.receptance = _after_norm(block.channel_norm, mix.receptance)
        self.value = mix.value

    @staticmethod
    def fits(block: nn.Module) -> bool:
        """Whether a block is of the kind that this part is written for."""
        return (
            isinstance(block, LCRBlock)
            and type(block) in (LCRBlock, PlainLCRBlock)
            and type(block.gate.mixer) is BiWKVMixer
            and type(block.shift) is CausalConvShift
            and type(block.cell) is LeakyCell
        )

    def forward(
        self, tokens: Tensor, edges: Tensor, state: BlockState, context: BlockContext
    ) -> tuple[Tensor, Tensor, BlockState]:
        """As the block: ``[1, 1, L, C]``."""
        tokens, edges = tokens.squeeze(1), edges.squeeze(1)
        query, shifted = self._shift(self.norm(tokens), state.shifted, context)
        shifted = trace(state.shifted, shifted, context.elapsed)
        source = edges + query if self.frame_answers else edges
        gated = self.gate(query, source, context.rotation)
        elapsed = None if context.elapsed is None else context.elapsed[:, 0]
        keep = _kept(edges * self.cell.scale + self.cell.bias, elapsed)
        memory = keep * (state.memory - gated) + gated
        hidden = memory * gated.sigmoid()
        tokens = tokens + hidden if self.residual else hidden
        normed = F.layer_norm(tokens, tokens.shape[-1:], eps=self.eps)
        value = self.value(self.key(normed).relu().square())
        tokens = tokens + self.receptance(normed).sigmoid() * value
        return tokens.unsqueeze(1), memory.unsqueeze(1), BlockState(memory, shifted)

    def _shift(
        self, normed: Tensor, before: Tensor, context: BlockContext
    ) -> tuple[Tensor, Tensor]:
        """Shift the patch tokens; what the next frame gets is the second result."""
        grid, prefix = context.grid, context.num_prefix
        patches = normed[:, prefix:] if prefix else normed
        maps = patches.unflatten(1, (grid.height, grid.width)).permute(0, 3, 1, 2)
        now, last = (
            F.conv2d(maps, taps, padding=1, groups=len(taps)).permute(0, 2, 3, 1)
            for taps in self.shift.weight.detach().chunk(2)
        )
        shifted = now.flatten(1, 2) + before
        if prefix:
            shifted = torch.cat([normed[:, :prefix], shifted], dim=1)
        return shifted, last.flatten(1, 2)


class StemPart(PatchEmbed):
    """:class:`.patch_embed.CausalConvStem` with its batch norms in its convolutions.

    What it keeps is scaled by its norms, negative, and channels last, as convolutions
    make it in engines: they then add it to the next frame's at no cost. Of three axes:
    of four, OpenVINO lays them out anew to fade what was kept.

    Args:
        stem: It stays as it is.
    """

    def __init__(self, stem: CausalConvStem) -> None:
        nn.Module.__init__(self)
        self.state_of_stem = stem.init_state
        self.now, self.change = nn.ModuleList(), nn.ModuleList()
        for conv, norm in zip(stem.convs, stem.norms, strict=True):
            assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None and norm.running_var is not None
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            now, change = (conv.weight * scale[:, None, None, None]).chunk(2, dim=1)
            bias = norm.bias - norm.running_mean * scale
            self.now.append(_convolution(now + change, bias))
            self.change.append(_convolution(-change))

    def init_state(self, batch_size: int, size: tuple[int, int]) -> Tree:
        """Zeros, ``[N, H * W, C]`` a layer."""
        state = self.state_of_stem(batch_size, size)
        return tuple(x.flatten(2).mT.contiguous() for x in state)

    def forward(
        self, frames: Tensor, before: Tree, elapsed: Tensor | None = None
    ) -> tuple[Tensor, Tree]:
        """As the stem, of one frame: ``[N, 1, C, H, W]``."""
        maps, kept = frames.flatten(0, 1), []
        for i, (now, change) in enumerate(zip(self.now, self.change, strict=True)):
            if i:
                maps = maps.relu()
            kept.append(trace(before[i], change(maps).flatten(2).mT, elapsed))
            maps = now(maps)
            maps = maps + before[i].mT.unflatten(2, maps.shape[2:])
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
    for i, block in enumerate(backbone.blocks):
        gate = getattr(block, "gate", None)
        if BlockPart.fits(block):
            backbone.blocks[i] = BlockPart(cast(LCRBlock, block), tokens)
        # Only the static mixer: a decay a token is no constant.
        elif isinstance(gate, CrossRWKVGate) and type(gate.mixer) is BiWKVMixer:
            block.gate = GatePart(gate, tokens)
    if isinstance(backbone.frame_embed, CausalConvStem):
        backbone.frame_embed = StemPart(backbone.frame_embed)
    return backbone


def _kept(logit: Tensor, elapsed: Tensor | None) -> Tensor:
    """:func:`.elapsed.over_time` in fewer steps, exact but for rounding."""
    if elapsed is None:
        return logit.sigmoid()
    return (as_factor(elapsed, logit) * F.logsigmoid(logit)).exp()


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


def _after_norm(norm: nn.LayerNorm, linear: nn.Linear) -> nn.Linear:
    """A linear that reads a norm, with the norm's weight and bias in its own."""
    folded = nn.Linear(linear.in_features, linear.out_features)
    bias = linear.weight @ norm.bias
    folded.weight = nn.Parameter(linear.weight * norm.weight)
    folded.bias = nn.Parameter(bias if linear.bias is None else bias + linear.bias)
    return folded


def _convolution(weight: Tensor, bias: Tensor | None = None) -> nn.Conv2d:
    """One of 3x3 with stride 2."""
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, 2, 1, bias=bias is not None)
    conv.weight = nn.Parameter(weight)
    if bias is not None:
        conv.bias = nn.Parameter(bias)
    return conv
