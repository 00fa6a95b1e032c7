"""One frame at a time gives what the whole clip gives."""

from __future__ import annotations

import pytest
import torch

from lcr_mmaction.models.backbone import POSITIONS, READOUTS
from lcr_mmaction.models.block import BLOCKS, KEY_VALUE_SOURCES
from lcr_mmaction.models.cells import CELLS
from lcr_mmaction.models.head import LCRHead
from lcr_mmaction.models.mixers import MIXERS
from lcr_mmaction.models.patch_embed import PATCH_EMBEDS
from lcr_mmaction.models.state import state_tensors
from lcr_mmaction.models.token_shift import TOKEN_SHIFTS

OPTIONS = {
    "cell": CELLS,
    "mixer": MIXERS,
    "token_shift": TOKEN_SHIFTS,
    "patch_embed": PATCH_EMBEDS,
    "block": BLOCKS,
    "readout": READOUTS,
    "kv_source": KEY_VALUE_SOURCES,
    "positions": POSITIONS,
    "zero_init_edge": (True, False),
}
ONE_BY_ONE = [{name: value} for name, values in OPTIONS.items() for value in values]
# The recurrence and what feeds it, together: these are the ones that interact.
TOGETHER = [
    {"cell": cell, "mixer": mixer, "block": block, "readout": "cls"}
    for cell in CELLS
    for mixer in MIXERS
    for block in BLOCKS
]


def run_steps(backbone, clip, elapsed=None):
    size = tuple(clip.shape[-2:])
    state = backbone.init_state(clip.shape[0], size)
    features = []
    for t in range(clip.shape[2]):
        time = None if elapsed is None else elapsed[:, t]
        feature, state = backbone.step(clip[:, :, t], state, time)
        features.append(feature)
    return torch.stack(features, dim=1), state


def describe(options: dict) -> str:
    return ",".join(f"{key}={value}" for key, value in options.items())


@pytest.mark.parametrize("options", ONE_BY_ONE + TOGETHER, ids=describe)
@torch.no_grad()
def test_steps_equal_clip(make_backbone, clip, options):
    backbone = make_backbone(**options)
    whole = backbone(clip)
    steps, _ = run_steps(backbone, clip)
    assert whole.std() > 0.01, "dead features would make this test idle"
    torch.testing.assert_close(steps, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("options", ONE_BY_ONE, ids=describe)
@torch.no_grad()
def test_steps_equal_a_clip_of_uneven_times(make_backbone, clip, options):
    backbone = make_backbone(**options)
    elapsed = torch.rand(clip.shape[0], clip.shape[2]) * 2
    elapsed[:, 0], elapsed[0, 2], elapsed[-1, 3] = 1, 0, 30
    whole = backbone(clip, elapsed)
    steps, _ = run_steps(backbone, clip, elapsed)
    torch.testing.assert_close(steps, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cell", ["bounded", "leaky", "paper"])
@torch.no_grad()
def test_times_of_one_are_no_times(make_backbone, clip, cell):
    backbone = make_backbone(cell=cell)
    ones = torch.ones(clip.shape[0], clip.shape[2])
    whole = backbone(clip)
    # Not to the bit only where a kernel of its own computes it without times.
    # An unbounded memory reaches tens: hence the relative part.
    torch.testing.assert_close(backbone(clip, ones), whole, atol=1e-5, rtol=1e-6)
    with pytest.raises(ValueError, match="a time for each frame"):
        backbone(clip, ones[:, 1:])


@pytest.mark.parametrize("cell", ["bounded", "leaky"])
@torch.no_grad()
def test_a_memory_lasts_as_long_at_any_rate(cell):
    torch.manual_seed(0)
    cell = CELLS[cell](16)
    gated, edges, before = torch.randn(3, 1, 1, 5, 16)
    _, memory, _ = cell(gated, edges, before[:, 0])
    for parts in (2, 5):
        every = [x.expand(-1, parts, -1, -1) for x in (gated, edges)]
        times = torch.full((1, parts), 1 / parts)
        _, _, after = cell(*every, before[:, 0], times)
        torch.testing.assert_close(after, memory[:, 0], atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_a_repeated_frame_at_the_same_time_says_nothing_new(make_backbone, clip):
    backbone = make_backbone(cell="bounded", readout="mean")
    state = backbone.init_state(clip.shape[0], tuple(clip.shape[-2:]))
    _, state = backbone.step(clip[:, :, 0], state)
    _, again = backbone.step(clip[:, :, 0], state, torch.zeros(clip.shape[0]))
    torch.testing.assert_close(state, again, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(32, 48), (48, 32), (40, 40)])
@torch.no_grad()
def test_steps_equal_clip_at_any_size(make_backbone, channels, size):
    backbone = make_backbone(readout="cls")
    clip = torch.randn(1, channels, 4, *size)
    steps, _ = run_steps(backbone, clip)
    torch.testing.assert_close(steps, backbone(clip), atol=1e-5, rtol=0)


@torch.no_grad()
def test_clip_depends_on_the_past_and_only_on_it(make_backbone, clip):
    backbone = make_backbone()
    before = backbone(clip)
    changed = clip.clone()
    changed[:, :, 3] += 1.0
    after = backbone(changed)
    torch.testing.assert_close(after[:, :3], before[:, :3], atol=0, rtol=0)
    for t in range(3, 6):
        assert (after[:, t] - before[:, t]).abs().max() > 1e-3


@torch.no_grad()
def test_step_does_not_change_its_arguments(make_backbone, clip):
    backbone = make_backbone()
    _, state = run_steps(backbone, clip)
    kept = [x.clone() for x in state_tensors(state).values()]
    frame = clip[:, :, 0].clone()
    first, _ = backbone.step(frame, state)
    second, _ = backbone.step(frame, state)
    torch.testing.assert_close(first, second, atol=0, rtol=0)
    torch.testing.assert_close(frame, clip[:, :, 0], atol=0, rtol=0)
    now = list(state_tensors(state).values())
    torch.testing.assert_close(now, kept, atol=0, rtol=0)


@torch.no_grad()
def test_streams_of_a_batch_do_not_meet(make_backbone, clip):
    backbone = make_backbone()
    together, _ = run_steps(backbone, clip)
    for i in range(2):
        alone, _ = run_steps(backbone, clip[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], atol=1e-5, rtol=0)


@pytest.mark.parametrize("consensus", ["mean", "last"])
@torch.no_grad()
def test_head_scores_steps_like_the_clip(make_backbone, clip, consensus):
    backbone = make_backbone()
    head = LCRHead(5, backbone.feat_dims, consensus=consensus).eval()
    features, _ = run_steps(backbone, clip)
    logits = torch.stack([head(features[:, t]) for t in range(6)])
    joined = logits.mean(dim=0) if consensus == "mean" else logits[-1]
    torch.testing.assert_close(joined, head(backbone(clip)), atol=1e-5, rtol=0)


@torch.no_grad()
def test_step_refuses_a_state_of_other_streams(make_backbone, clip):
    backbone = make_backbone()
    with pytest.raises(ValueError, match=r"init_state\(2, \(32, 32\)\)"):
        backbone.step(clip[:, :, 0], backbone.init_state(3))
    with pytest.raises(ValueError, match="does not fit a state"):
        backbone.step(clip[:, :, 0], backbone.init_state(2, (32, 48)))
