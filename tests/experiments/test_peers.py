"""The peers differ from the tiny LCR in the model alone, and can learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "configs" / "lcr_jester_tiny.py"
PEERS = sorted((ROOT / "tools" / "experiments" / "peers").glob("*.py"))


@pytest.fixture(params=PEERS, ids=lambda path: path.stem)
def peer(request) -> Config:
    return Config.fromfile(request.param)


@pytest.fixture(scope="module")
def tiny() -> Config:
    return Config.fromfile(TINY)


def build(config: Config) -> torch.nn.Module:
    init_default_scope("mmaction")
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    return model


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def clips(config: Config, count: int) -> dict:
    """Pack random clips as the config's pipeline does, one class each."""
    frames = config.train_pipeline[-2].input_format == "NCHW"
    shape = (8, 3, 64, 64) if frames else (1, 3, 8, 64, 64)
    generator = torch.Generator().manual_seed(0)
    return dict(
        inputs=[
            torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
            for _ in range(count)
        ],
        data_samples=[ActionDataSample().set_gt_label(i) for i in range(count)],
    )


def test_all_peers_are_there():
    names = {path.stem for path in PEERS}
    assert names >= {"tsn", "tsm", "slowonly", "resnet3d", "timesformer", "video_vit"}


def test_peer_is_as_large_as_the_tiny_lcr(peer, tiny):
    assert parameters(build(peer)) == pytest.approx(parameters(build(tiny)), rel=0.15)


def test_peer_reads_the_same_clips_for_as_long(peer, tiny):
    def without_edges(pipeline: list) -> list:
        kept = [dict(step) for step in pipeline if step.type != "EdgeExtract"]
        return [step for step in kept if step["type"] != "FormatShape"]

    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        ours, theirs = tiny[name].to_dict(), peer[name].to_dict()
        ours["dataset"].pop("pipeline"), theirs["dataset"].pop("pipeline")
        assert theirs == ours
        assert without_edges(peer[name].dataset.pipeline) == without_edges(
            tiny[name].dataset.pipeline
        )
    assert peer.train_cfg == tiny.train_cfg
    assert peer.param_scheduler == tiny.param_scheduler
    label_smoothing = [c.model.cls_head.label_smooth_eps for c in (peer, tiny)]
    assert label_smoothing[0] == label_smoothing[1]


def test_peer_learns_a_batch_by_heart(peer):
    model = build(peer).train()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=peer.optim_wrapper.optimizer.lr
    )
    batch = model.data_preprocessor(clips(peer, 4), training=True)
    losses = []
    for _ in range(5):
        loss = model(**batch, mode="loss")["loss_cls"]
        optimiser.zero_grad()
        loss.backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, f"{name} takes no part"
            assert parameter.grad.isfinite().all(), name
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["tsn", "tsm"])
def test_order_matters_to_the_shift_alone(name):
    config = Config.fromfile(ROOT / "tools" / "experiments" / "peers" / f"{name}.py")
    # Before training, batch normalisation knows no statistics but the batch's.
    model = build(config).train()
    frames = model.data_preprocessor(clips(config, 2), training=True)["inputs"]
    with torch.no_grad():
        forwards, backwards = (
            model.cls_head(model(inputs), num_segs=8)
            for inputs in (frames, frames.flip(1))
        )
    assert torch.allclose(forwards, backwards, atol=1e-5) == (name == "tsn")


@pytest.mark.parametrize("name", ["slowonly", "tsm", "timesformer"])
def test_a_peer_on_real_video_differs_from_lcr_in_the_model_alone(name):
    peers = ROOT / "tools" / "experiments" / "peers"
    peer = Config.fromfile(peers / "msr" / f"{name}.py")
    ours = Config.fromfile(ROOT / "configs" / "lcr_msr.py")
    assert peer.pretty_text  # what a run logs first
    for key in ("train_cfg", "param_scheduler"):
        assert peer[key] == ours[key]
    for key in ("train_dataloader", "val_dataloader"):
        theirs, mine = peer[key].to_dict(), ours[key].to_dict()
        seen, given = (
            [s for s in d["dataset"].pop("pipeline") if s["type"] != "FormatShape"]
            for d in (theirs, mine)
        )
        assert theirs == mine
        assert seen == [step for step in given if step["type"] != "EdgeExtract"]
    assert peer.model.cls_head.num_classes == ours.model.cls_head.num_classes
    model = build(peer).eval()
    assert parameters(model) == pytest.approx(parameters(build(ours)), rel=0.15)
    shape = (16, 3, 64, 64) if name == "tsm" else (1, 3, 16, 64, 64)
    batch = dict(
        inputs=[torch.zeros(shape, dtype=torch.uint8)],
        data_samples=[ActionDataSample().set_gt_label(0)],
    )
    with torch.no_grad():
        (sample,) = model.test_step(batch)
    assert sample.pred_score.shape == (20,)
