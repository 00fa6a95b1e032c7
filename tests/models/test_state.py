"""The state of a stream: saved, moved, batched, split, reset, faded."""

from __future__ import annotations

import pytest
import torch

from lcr_mmaction.models.state import (
    cat_states,
    decay_streams,
    load_state,
    map_state,
    num_streams,
    put_streams,
    reset_streams,
    save_state,
    select_streams,
    split_state,
    state_bytes,
    state_from_tensors,
    state_tensors,
    state_to,
)


@pytest.fixture
def backbone(make_backbone):
    return make_backbone(readout="cls")


def read(backbone, frames, state):
    """Read ``[N, C, T, H, W]`` from a state on; the last feature and the state."""
    with torch.no_grad():
        for t in range(frames.shape[2]):
            feature, state = backbone.step(frames[:, :, t], state)
    return feature, state


def assert_same(a, b, atol=0.0):
    torch.testing.assert_close(state_tensors(a), state_tensors(b), atol=atol, rtol=0)


def test_saved_state_resumes_the_stream(backbone, clip, tmp_path):
    _, middle = read(backbone, clip[:, :, :3], backbone.init_state(2))
    save_state(middle, tmp_path / "state.pt")
    restored = load_state(tmp_path / "state.pt", like=backbone.init_state(1))
    assert_same(restored, middle)
    resumed, _ = read(backbone, clip[:, :, 3:], restored)
    whole, _ = read(backbone, clip, backbone.init_state(2))
    torch.testing.assert_close(resumed, whole, atol=0, rtol=0)


def test_saved_slice_holds_only_itself(backbone, clip, tmp_path):
    _, state = read(backbone, clip, backbone.init_state(2))
    save_state(split_state(state)[0], tmp_path / "one.pt")
    save_state(state, tmp_path / "two.pt")
    one, two = ((tmp_path / n).stat().st_size for n in ("one.pt", "two.pt"))
    assert one < 0.75 * two


def test_loading_something_else_is_refused(backbone, tmp_path):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="unknown \\['weight'\\]"):
        load_state(tmp_path / "other.pt", like=backbone.init_state(1))


@pytest.mark.parametrize("block", ["residual", "feedback"])
def test_names_round_trip(make_backbone, block):
    backbone = make_backbone(block=block)
    state = backbone.init_state(1)
    tensors = state_tensors(state)
    assert list(tensors)[:2] == ["maps.0", "maps.1"]
    memory = ["memory.hidden", "memory.cell"] if block == "feedback" else ["memory"]
    last = [f"blocks.1.{name}" for name in [*memory, "shifted"]]
    assert list(tensors)[-len(last) :] == last
    assert_same(state_from_tensors(tensors, backbone.init_state(3)), state)


def test_streams_join_and_part(backbone, clip):
    singles = [
        read(backbone, clip[i : i + 1, :, : 2 + i], backbone.init_state(1))[1]
        for i in range(2)
    ]
    batch = cat_states(singles)
    assert num_streams(batch) == 2
    for part, single in zip(split_state(batch), singles, strict=True):
        assert_same(part, single)
    # Streams of different age run on as one batch, each as if alone.
    together, _ = read(backbone, clip[:, :, 4:], batch)
    for i, single in enumerate(singles):
        alone, _ = read(backbone, clip[i : i + 1, :, 4:], single)
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=0)


def test_split_by_sizes(backbone):
    state = backbone.init_state(5)
    assert [num_streams(x) for x in split_state(state, [2, 3])] == [2, 3]
    with pytest.raises(ValueError, match="add up to 4, but the state has 5"):
        split_state(state, [2, 2])


def test_select_and_put(backbone, clip):
    _, state = read(backbone, clip, backbone.init_state(2))
    index = torch.tensor([1])
    part = select_streams(state, index)
    assert_same(part, split_state(state)[1])
    put = put_streams(backbone.init_state(2), index, part)
    assert_same(split_state(put)[1], part)
    assert_same(split_state(put)[0], backbone.init_state(1))


def test_reset_touches_one_stream(backbone, clip):
    _, state = read(backbone, clip, backbone.init_state(2))
    reset = reset_streams(state, torch.tensor([True, False]))
    first, second = split_state(reset)
    assert_same(first, backbone.init_state(1))
    assert_same(second, split_state(state)[1])
    # A reset stream reads a clip as a new one does.
    again, _ = read(backbone, clip, reset)
    fresh, _ = read(backbone, clip[:1], backbone.init_state(1))
    torch.testing.assert_close(again[:1], fresh, atol=1e-5, rtol=0)


def test_reset_clears_what_is_not_finite(backbone):
    state = backbone.init_state(1)
    broken = map_state(lambda x: torch.full_like(x, float("nan")), state)
    assert_same(reset_streams(broken, torch.tensor([True])), state)


def test_decay_fades_the_recurrent_part_only(backbone, clip):
    _, state = read(backbone, clip, backbone.init_state(2))
    faded = decay_streams(state, torch.tensor([0.5, 1.0]))
    assert_same(split_state(faded)[1], split_state(state)[1])
    for before, after in zip(state.blocks, faded.blocks, strict=True):
        torch.testing.assert_close(after.memory[0], before.memory[0] * 0.5)
        torch.testing.assert_close(after.shifted, before.shifted)
    for before, after in zip(state.maps, faded.maps, strict=True):
        torch.testing.assert_close(after, before)


def test_moving_changes_the_dtype_of_all(backbone, clip):
    _, state = read(backbone, clip, backbone.init_state(2))
    double = state_to(state, dtype=torch.float64)
    assert {x.dtype for x in state_tensors(double).values()} == {torch.float64}
    assert_same(state_to(double, "cpu", torch.float32), state)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_moved_state_resumes_on_another_device(backbone, clip):
    _, state = read(backbone, clip[:, :, :3], backbone.init_state(2))
    here, _ = read(backbone, clip[:, :, 3:], state)
    moved = state_to(state, "cuda")
    there, _ = read(backbone.cuda(), clip[:, :, 3:].cuda(), moved)
    torch.testing.assert_close(there.cpu(), here, atol=1e-4, rtol=0)


def test_size_counts_every_tensor_and_stream(make_backbone):
    backbone = make_backbone(readout="cls", patch_embed="patch")
    one, three = backbone.init_state(1), backbone.init_state(3)
    tokens, patches, dim, depth = 17, 16, 16, 2
    expected = 4 * depth * dim * (tokens + patches)
    assert state_bytes(one) == expected
    assert state_bytes(three) == 3 * expected
    stem = make_backbone(readout="cls").init_state(1)
    maps = sum(4 * x.numel() for x in stem.maps)
    assert maps > 0 and state_bytes(stem) == expected + maps
