"""What the parts of a model do with a clip, seen from outside.

Hooks read what the parts are given and what they return; the model runs as it always
does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from mmaction.models import Recognizer3D
from mmaction.structures import ActionDataSample
from torch import Tensor, nn

from .models.cells import EdgeForgetCell
from .models.mixers import BiWKVMixer, Mixer
from .models.vision_rwkv.spatial_mix import SpatialMix

Notes = dict[str, list[Tensor]]


class BlockObservation(NamedTuple):
    """What one block did. None stands for what it has no such part for.

    Attributes:
        forget: Forget gate of every patch, mean over channels,
            ``[T, rows, columns]`` in 0 to 1.
        receptance: Euclidean norm of every patch's receptance, over all heads,
            ``[T, rows, columns]``.
        profile: Weight of a value by its distance in tokens, as
            :func:`decay_profile` gives it, mean over frames.
        reach: Of :func:`effective_reach`, ``[H]``, in tokens.
    """

    forget: Tensor | None
    receptance: Tensor | None
    profile: Tensor | None
    reach: Tensor | None


class Observation(NamedTuple):
    """What a model did with a clip.

    Attributes:
        blocks: One of every block.
        scores: Probabilities of the classes after each frame, if the clip ended
            there, ``[T, classes]``.
    """

    blocks: list[BlockObservation]
    scores: Tensor


@torch.no_grad()
def observe(model: Recognizer3D, clip: Tensor) -> Observation:
    """Watch a model read a clip.

    Args:
        model: With an ``LCRBackbone``.
        clip: As the data pipeline packs it, uint8 ``[C, T, H, W]``.

    Raises:
        ValueError: The shape does not fit.
    """
    model.eval()
    batch = dict(inputs=[clip.unsqueeze(0)], data_samples=[ActionDataSample()])
    inputs = model.data_preprocessor(batch, training=False)["inputs"]
    patch_size = model.backbone.patch_size
    grid = clip.shape[-2] // patch_size, clip.shape[-1] // patch_size
    with _watch(model.backbone.blocks) as notes:
        features, _ = model.extract_feat(inputs, test_mode=True)
    lengths = range(1, features.shape[1] + 1)
    scores = torch.cat([model.cls_head(features[:, :length]) for length in lengths])
    blocks = [_summarise(block_notes, grid) for block_notes in notes]
    return Observation(blocks, scores.softmax(dim=-1).cpu())


def decay_profile(log_decay: Tensor, num_tokens: int) -> Tensor:
    """How much of a value arrives at which distance.

    The mean over all pairs of tokens ``d`` apart of ``prod_j exp(w_j)``, j strictly
    between the two; ``exp((d - 1) w)`` where all tokens share their decay.

    Args:
        log_decay: w, ``[H, K]`` or, of every token of a frame, ``[L, H, K]``.
        num_tokens: L, at least 2.

    Returns:
        ``[L - 1, H, K]`` in float64: distances 1 to L - 1.
    """
    decay = log_decay.double().expand(num_tokens, *log_decay.shape[-2:])
    before = torch.cat([torch.zeros_like(decay[:1]), decay.cumsum(dim=0)])
    means = [
        (before[d:num_tokens] - before[1 : num_tokens - d + 1]).exp().mean(dim=0)
        for d in range(1, num_tokens)
    ]
    return torch.stack(means)


def effective_reach(profile: Tensor) -> Tensor:
    """Mean distance in tokens that a value travels: ``sum_d d p_d / sum_d p_d``.

    One decay ``q`` for all tokens gives ``1 / (1 - q)`` in a frame far longer than
    that, and 1 where nothing passes a neighbour.

    Args:
        profile: p, of :func:`decay_profile`, ``[L - 1, H, K]``.

    Returns:
        Mean over the channels of each head, ``[H]``.
    """
    distance = torch.arange(1, len(profile) + 1, dtype=profile.dtype)
    total = torch.einsum("d,dhk->hk", distance, profile)
    return (total / profile.sum(dim=0)).mean(dim=-1)


@contextmanager
def _watch(blocks: nn.ModuleList) -> Iterator[list[Notes]]:
    """Take notes of every block; those of a block stand in the order of frames."""
    notes: list[Notes] = [defaultdict(list) for _ in blocks]
    handles = []
    try:
        for block, block_notes in zip(blocks, notes, strict=True):
            for part in block.modules():
                for kind, look in _LOOKS:
                    if isinstance(part, kind):
                        hook = _hook(look, block_notes)
                        handles.append(part.register_forward_hook(hook))
        yield notes
    finally:
        for handle in handles:
            handle.remove()


def _hook(look: Any, notes: Notes) -> Any:
    def hook(part: nn.Module, inputs: tuple, output: Any) -> None:
        look(part, inputs, notes)

    return hook


def _look_at_cell(cell: EdgeForgetCell, inputs: tuple, notes: Notes) -> None:
    _, edges, _, *elapsed = inputs
    notes["forget"].append(cell.forget(edges, *elapsed).mean(dim=-1)[0])


def _look_at_mixer(mixer: Mixer, inputs: tuple, notes: Notes) -> None:
    receptance, _, _, source = inputs
    notes["receptance"].append(receptance.flatten(-2).norm(dim=-1))
    if isinstance(mixer, BiWKVMixer):
        decay = mixer.log_decay(source)
        _note_decay(decay, source.shape[1], notes)


def _look_at_spatial_mix(mix: SpatialMix, inputs: tuple, notes: Notes) -> None:
    tokens, edges, grid = inputs
    notes["receptance"].append(mix.receptances(tokens, grid).norm(dim=-1)[0])
    _note_decay(mix.log_decay(tokens, edges, grid), tokens.shape[2], notes)


def _note_decay(decay: Tensor, num_tokens: int, notes: Notes) -> None:
    """Note the profile of decays ``[H, K]``, or of frames, ``[T, L, H, K]``."""
    frames = decay if decay.dim() == 4 else decay.unsqueeze(0)
    if num_tokens > 1:
        notes["profile"] += [decay_profile(x.cpu(), num_tokens) for x in frames]


_LOOKS: tuple[tuple[type[nn.Module], Any], ...] = (
    (EdgeForgetCell, _look_at_cell),
    (Mixer, _look_at_mixer),
    (SpatialMix, _look_at_spatial_mix),
)


def _summarise(notes: Notes, grid: tuple[int, int]) -> BlockObservation:
    def maps(name: str) -> Tensor | None:
        if name not in notes:
            return None
        patches = torch.cat(notes[name])[:, -grid[0] * grid[1] :]  # no class token
        return patches.unflatten(1, grid).cpu()

    profile = torch.stack(notes["profile"]).mean(0) if "profile" in notes else None
    reach = None if profile is None else effective_reach(profile)
    return BlockObservation(maps("forget"), maps("receptance"), profile, reach)
