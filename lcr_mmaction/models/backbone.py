"""The LCR backbone (LSTM-CrossRWKV, arXiv 2411.05636)."""

from __future__ import annotations

from itertools import repeat
from typing import cast

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from .archs import ARCHS, find_arch
from .block import BLOCKS, KEY_VALUE_SOURCES, BlockContext, LCRBlock
from .cells import CELLS
from .edge import GraphEdges
from .meaning import state_meaning
from .mixers import MIXERS
from .patch_embed import PATCH_EMBEDS, PatchConv
from .positions import FourierPositions
from .rope import RotaryEmbedding2D
from .state import LCRState, pytree
from .token_grid import TokenGrid, find_tube_mask
from .token_shift import TOKEN_SHIFTS
from .vision_rwkv.archs import find_vision_rwkv
from .vision_rwkv.positions import LearnedPositions

READOUTS = ("cls", "mean")
POSITIONS = ("fourier+rope", "rope", "none")
CPU_TOKENS_AT_ONCE = 4096


@MODELS.register_module()
class LCRBackbone(BaseModule):
    """LCR: linear attention from frame to edges inside a recurrent cell.

    Frames are read one after the other: the features of frame t depend on frames
    up to t only. Within a frame every token sees every other.

    Args:
        arch: Name in :data:`.archs.ARCHS` or a dict with ``embed_dims``,
            ``num_layers``, ``num_heads`` and ``mlp_ratio``. Or an image model to start
            from, a name in :data:`.vision_rwkv.archs.VISION_RWKV_ARCHS` or a dict of
            a ``VisionRWKVArch``: it brings its own parts, and the options from
            ``block`` to ``zero_init_edge`` must be left out.
        img_size: Side, or ``(height, width)``, that :meth:`init_state` assumes
            when it is given none. Clips may have any size that ``patch_size``
            divides.
        patch_size: Side of a patch in pixels.
        block: ``'residual'``, ``'plain'`` (no path around the cell), ``'feedback'``
            (the gate sees the previous hidden state) or ``'paper'`` (both).
        cell: ``'leaky'``, ``'bounded'``, ``'paper'`` or ``'none'`` (no recurrence).
        kv_source: ``'edge'`` or ``'edge+frame'``.
        token_shift: ``'causal_conv'``, ``'q_shift'`` or ``'none'``.
        mixer: ``'rwkv'``, ``'rwkv_dynamic'`` or ``'attention'``.
        patch_embed: ``'patch'`` or ``'causal_stem'``.
        positions: ``'fourier+rope'`` (frame tokens carry their place in the frame,
            receptance and key rotary positions), ``'rope'`` or ``'none'``.
        readout: ``'cls'`` (class token) or ``'mean'`` (mean over patches).
        zero_init_edge: Whether the embedded edge starts at zero (the paper's
            reading).
        edge_weight: Fixed factor of the embedded edge.
        drop_path_rate: Stochastic depth of the last block, growing linearly.
        with_cp: Recompute blocks in the backward pass to save memory.
        frozen_stages: -1 freezes nothing, 0 all that comes before the blocks
            (embeddings, positions, class token), n also the first n blocks.
        init_cfg: MMEngine initialisation, e.g. a checkpoint.

    Raises:
        ValueError: An option or a size is not supported.
    """

    arch_zoo = ARCHS

    def __init__(
        self,
        arch: str | dict = "tiny",
        img_size: int | tuple[int, int] = 224,
        patch_size: int = 16,
        block: str = "residual",
        cell: str = "leaky",
        kv_source: str = "edge+frame",
        token_shift: str = "causal_conv",
        mixer: str = "rwkv",
        patch_embed: str = "causal_stem",
        positions: str = "fourier+rope",
        readout: str = "mean",
        zero_init_edge: bool = False,
        edge_weight: float = 1.0,
        drop_path_rate: float = 0.0,
        with_cp: bool = False,
        frozen_stages: int = -1,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        for name, value, known in (
            ("block", block, BLOCKS),
            ("cell", cell, CELLS),
            ("kv_source", kv_source, KEY_VALUE_SOURCES),
            ("token_shift", token_shift, TOKEN_SHIFTS),
            ("mixer", mixer, MIXERS),
            ("patch_embed", patch_embed, PATCH_EMBEDS),
            ("positions", positions, POSITIONS),
            ("readout", readout, READOUTS),
        ):
            if value not in known:
                raise ValueError(
                    f"{name}={value!r} is unknown: choose one of {sorted(known)}"
                )
        image_model = find_vision_rwkv(arch)
        if image_model is None:
            settings = find_arch(arch)
        else:
            chosen = (block, cell, kv_source, token_shift, mixer, patch_embed)
            if (*chosen, positions, readout, zero_init_edge) != (
                *("residual", "leaky", "edge+frame", "causal_conv", "rwkv"),
                *("causal_stem", "fourier+rope", "mean", False),
            ):
                raise ValueError(
                    f"arch={arch!r} brings its own parts: leave out all options from "
                    "block to zero_init_edge"
                )
            settings = image_model._asdict()
            patch_embed, positions, zero_init_edge = "patch", "none", True
        dim, depth = settings["embed_dims"], settings["num_layers"]
        heads = settings["num_heads"]
        if not -1 <= frozen_stages <= depth:
            raise ValueError(
                f"frozen_stages={frozen_stages} is outside -1..{depth}, the number "
                "of blocks"
            )
        self.img_size = (img_size, img_size) if isinstance(img_size, int) else img_size
        self.embed_dims = dim
        self.feat_dims = 2 * dim
        self.patch_size = patch_size
        self.readout = readout
        self.edge_weight = edge_weight
        self.with_cp = with_cp
        self.frozen_stages = frozen_stages

        self.graph_edges = GraphEdges()
        self.frame_embed = PATCH_EMBEDS[patch_embed](3, dim, patch_size)
        self.edge_embed = PatchConv(1, dim, patch_size)
        if zero_init_edge:
            for parameter in self.edge_embed.parameters():
                nn.init.zeros_(parameter)
        self.rope = RotaryEmbedding2D(dim // heads) if "rope" in positions else None
        self.positions: nn.Module | None = (
            FourierPositions(dim) if "fourier" in positions else None
        )
        if self.num_prefix:
            self.cls_token = nn.Parameter(torch.zeros(dim))
            self.cls_edge = nn.Parameter(torch.zeros(dim))
            nn.init.trunc_normal_(self.cls_token, std=0.02)
        self.input_norm: nn.Module = nn.Identity()
        self.output_norm: nn.Module = nn.Identity()
        drop_rates = [drop_path_rate * i / max(depth - 1, 1) for i in range(depth)]
        if image_model is not None:
            height, width = (side // patch_size for side in self.img_size)
            self.positions = LearnedPositions(dim, (height, width))
            self.input_norm, self.output_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.blocks = nn.ModuleList(
                map(image_model.block, range(depth), drop_rates)
            )
        else:
            self.blocks = nn.ModuleList(
                BLOCKS[block](
                    dim,
                    heads,
                    settings["mlp_ratio"],
                    cell=cell,
                    token_shift=token_shift,
                    mixer=mixer,
                    kv_source=kv_source,
                    drop_path=rate,
                )
                for rate in drop_rates
            )
        self._freeze_stages()
        meaning = dict(num_heads=heads, patch_size=patch_size, edge_weight=edge_weight)
        if image_model is not None:
            meaning |= dict(image_model=f"vision_rwkv {image_model.version}")
        else:
            meaning |= dict(block=block, cell=cell, kv_source=kv_source, mixer=mixer)
            meaning |= dict(token_shift=token_shift, patch_embed=patch_embed)
            meaning |= dict(positions=positions, readout=readout)
        state_meaning(self, meaning)

    @property
    def num_prefix(self) -> int:
        """Class tokens before the patch tokens."""
        return int(self.readout == "cls")

    def forward(self, clips: Tensor, elapsed: Tensor | None = None) -> Tensor:
        """Read clips.

        Args:
            clips: Normalised clips ``[N, C, T, H, W]``, C = 4 (RGB and edge) or
                3 (RGB; edges are then found in the graph). Patches that
                ``TubeMask`` marked are dropped.
            elapsed: Time since the last frame, 0 or more, in intervals between the
                frames of training, ``[N, T]``; 1 for the first. None: all are 1.

        Returns:
            Features of every frame, ``[N, T, 2 * embed_dims]``: the readout of
            the output O_t beside that of the memory C_t.

        Raises:
            ValueError: The shape does not fit.
        """
        self._check(clips.shape, 5, "[N, C, T, H, W]")
        keep = find_tube_mask(clips, self.patch_size) if self._masks(clips) else None
        if keep is not None:
            clips = torch.where(torch.isneginf(clips), 0.0, clips)
        height, width = (side // self.patch_size for side in clips.shape[-2:])
        grid = TokenGrid(height, width, keep)
        state = self._zero_state(clips.shape[0], grid)
        features = []
        at_once = self._frames_at_once(clips)
        parts = clips.transpose(1, 2).split(at_once, dim=1)
        times = repeat(None) if elapsed is None else elapsed.split(at_once, dim=1)
        for part, time in zip(parts, times, strict=False):
            feature, state = self._run(part, state, grid, time)
            features.append(feature)
        return torch.cat(features, dim=1)

    def _frames_at_once(self, clips: Tensor) -> int:
        """How many frames go through the blocks together.

        All of them where launches cost and where batch norm wants to see them all.
        When a CPU tests, only as many as its caches hold: faster for batches and long
        clips, and their memory stays constant.
        """
        num_clips, _, num_frames, height, width = clips.shape
        if clips.device.type != "cpu" or self.training or torch.is_grad_enabled():
            return num_frames
        tokens = num_clips * (height // self.patch_size) * (width // self.patch_size)
        return max(1, CPU_TOKENS_AT_ONCE // tokens)

    def _masks(self, clips: Tensor) -> bool:
        """Whether patches may be masked; to look is to wait for the data.

        Graphs cannot branch on data: a compiled model looks in training only, one
        captured as a CUDA graph never.
        """
        if torch.compiler.is_compiling():
            return self.training
        return not (clips.is_cuda and torch.cuda.is_current_stream_capturing())

    def init_state(
        self, batch_size: int, img_size: tuple[int, int] | None = None
    ) -> LCRState:
        """State before the first frame of ``batch_size`` streams.

        Args:
            batch_size: Number of streams N.
            img_size: ``(height, width)`` of the frames; ``self.img_size`` if None.

        Returns:
            Zeros, on the device and in the dtype of the parameters.
        """
        size = self.img_size if img_size is None else img_size
        self._check(torch.Size((batch_size, 4, *size)), 4, "[N, C, H, W]")
        height, width = (side // self.patch_size for side in size)
        return self._zero_state(batch_size, TokenGrid(height, width))

    def step(
        self, frame: Tensor, state: LCRState, elapsed: Tensor | None = None
    ) -> tuple[Tensor, LCRState]:
        """Read one frame of a stream.

        Args:
            frame: Normalised frames ``[N, C, H, W]``, C = 4 or 3.
            state: From :meth:`init_state` or the last call.
            elapsed: Time since the last frame, 0 or more, in intervals between the
                frames of training, ``[N]``; 1 for a stream's first. None: all are 1.

        Returns:
            Features ``[N, 2 * embed_dims]``, those of the clip's last frame to
            rounding, and the state to pass with the next frame.

        Raises:
            ValueError: The shape does not fit, or not to the state.
        """
        self._check(frame.shape, 4, "[N, C, H, W]")
        height, width = (side // self.patch_size for side in frame.shape[-2:])
        grid = TokenGrid(height, width)
        wanted = (frame.shape[0], self.num_prefix + height * width)
        for kept in pytree.tree_leaves([block.memory for block in state.blocks]):
            if kept.shape[:2] != wanted:
                raise ValueError(
                    f"frame {tuple(frame.shape)} does not fit a state for (N, tokens) "
                    f"= {tuple(kept.shape[:2])}: call init_state({frame.shape[0]}, "
                    f"{tuple(frame.shape[-2:])})"
                )
        times = None if elapsed is None else elapsed.unsqueeze(1)
        features, state = self._run(frame.unsqueeze(1), state, grid, times)
        return features[:, 0], state

    def _run(
        self,
        frames: Tensor,
        state: LCRState,
        grid: TokenGrid,
        elapsed: Tensor | None,
    ) -> tuple[Tensor, LCRState]:
        """Run frames ``[N, T, C, H, W]`` from a state."""
        if elapsed is not None and elapsed.shape != frames.shape[:2]:
            raise ValueError(
                f"elapsed has shape {tuple(elapsed.shape)}, but the frames are (N, T) "
                f"= {tuple(frames.shape[:2])}: give a time for each frame"
            )
        if frames.shape[2] == 3:
            frames = torch.cat([frames, self.graph_edges(frames)], dim=2)
        rgb, edge = frames.split([3, 1], dim=2)
        tokens, maps = self.frame_embed(rgb, state.maps, elapsed)
        edges, _ = self.edge_embed(edge, ())
        if self.positions is not None:
            tokens = tokens + self.positions(grid)
        tokens = self.input_norm(tokens)
        tokens, edges = grid.select(tokens), grid.select(edges) * self.edge_weight
        if self.num_prefix:
            shape = (*tokens.shape[:2], 1, -1)
            tokens = torch.cat([self.cls_token.expand(shape), tokens], dim=2)
            edges = torch.cat([self.cls_edge.expand(shape), edges], dim=2)
        rotation = None if self.rope is None else self.rope(grid, self.num_prefix)
        context = BlockContext(grid, rotation, self.num_prefix, elapsed)
        after = []
        memory = tokens
        for block, before in zip(self.blocks, state.blocks, strict=True):
            if self.with_cp and torch.is_grad_enabled() and tokens.requires_grad:
                tokens, memory, last = checkpoint(
                    block, tokens, edges, before, context, use_reentrant=False
                )
            else:
                tokens, memory, last = block(tokens, edges, before, context)
            after.append(last)
        tokens = self.output_norm(tokens)
        features = torch.cat([self._read(tokens), self._read(memory)], dim=-1)
        return features, LCRState(maps, tuple(after))

    def _read(self, tokens: Tensor) -> Tensor:
        """Summarise ``[N, T, L, C]`` as ``[N, T, C]``."""
        return tokens.mean(dim=2) if self.readout == "mean" else tokens[:, :, 0]

    def _zero_state(self, batch_size: int, grid: TokenGrid) -> LCRState:
        patches = grid.height * grid.width if grid.keep is None else grid.keep.shape[1]
        # Weights of products may be in half precision; this buffer is not.
        zeros = self.graph_edges.kernel.new_zeros(
            batch_size, self.num_prefix + patches, self.embed_dims
        )
        size = (grid.height * self.patch_size, grid.width * self.patch_size)
        return LCRState(
            self.frame_embed.init_state(batch_size, size),
            tuple(
                cast(LCRBlock, block).init_state(zeros, self.num_prefix)
                for block in self.blocks
            ),
        )

    def _check(self, shape: torch.Size, dims: int, layout: str) -> None:
        if len(shape) != dims:
            raise ValueError(f"expected {layout}, got shape {tuple(shape)}")
        if shape[1] not in (3, 4):
            raise ValueError(
                f"expected 3 channels (RGB) or 4 (RGB and edge), got {shape[1]}: "
                "check EdgeExtract in the pipeline"
            )
        height, width = shape[-2:]
        if height % self.patch_size or width % self.patch_size:
            raise ValueError(
                f"frames of {height}x{width} pixels cannot be cut into patches of "
                f"{self.patch_size}: resize or crop to multiples of {self.patch_size}"
            )

    def _freeze_stages(self) -> None:
        if self.frozen_stages < 0:
            return
        trained = nn.ModuleList([*self.blocks[self.frozen_stages :], self.output_norm])
        frozen = set(self.parameters()) - set(trained.parameters())
        for parameter in frozen:
            parameter.requires_grad_(False)
        for module in set(self.modules()) - set(trained.modules()):
            if isinstance(module, _BatchNorm):
                module.eval()

    def train(self, mode: bool = True) -> LCRBackbone:
        """Set the mode; frozen parts keep their statistics."""
        super().train(mode)
        if mode:
            self._freeze_stages()
        return self
