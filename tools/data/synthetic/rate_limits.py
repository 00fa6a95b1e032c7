"""How far gestures can be told at a frame rate by one who sees the hand itself.

A small network is given the exact hand (place, turn, every finger's angles, left or
right) at the frames that a rate leaves, instead of pictures, and learns from as many
performances of the training split's people as wanted. It is tested on people of the
validation split: on gestures of streams, from rest to rest, whose first frame comes at
any time after they began, and the network is given where they begin and end; and on the
clips of ``render_jester.py --val 540 --mean-frames 24``, from their first frame on, as
``tools/streaming/clip_rates.py`` feeds them. ``--noise`` makes its sight less sharp,
``--missing`` loses frames.
What it cannot tell, a model that sees pictures hardly can.

Example:
    python tools/data/synthetic/rate_limits.py --fps 1 2 4
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from renderer.classes import CLASSES, NO_GESTURE
from renderer.gestures import perform
from renderer.motion import Motion
from renderer.person import make_person
from renderer.plan import plan_clip
from renderer.writers import FPS
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

# Frames of a clip and of a stream's gesture, on the average: the renderers' defaults of
# what the model that ships is tested on.
CLIP, GESTURE = 24, 32
LONGEST = round(GESTURE * 1.25)
BATCH = 256


def draw(split: str, index: int, stream: bool) -> tuple[int, np.ndarray]:
    """Class and hand, ``[T, 30]``, of a performance."""
    length, classes = (GESTURE, NO_GESTURE) if stream else (CLIP, len(CLASSES))
    plan = plan_clip(0, split, index, length, classes)
    person = make_person(split, plan.person, 0)
    motion, _ = perform(plan.label, person, plan.rng(), plan.num_frames, stream)
    return plan.label, hand(motion)


def hand(motion: Motion) -> np.ndarray:
    """All that is to be known of a hand, each about 1 in size, ``[T, 30]``."""
    angles = np.radians(motion.angles)
    turn = np.concatenate([np.sin(angles), np.cos(angles)], 1)
    return np.concatenate(
        [motion.wrist, turn, motion.pose / 45, motion.mirror[:, None]], 1
    ).astype(np.float32)


def seen(
    hands: Tensor,
    lengths: Tensor,
    first: Tensor,
    fps: float,
    noise: float,
    missing: float = 0.0,
) -> Tensor:
    """What a rate leaves, ``[N, frames * 31]``.

    Args:
        hands: ``[N, T, 30]``, zeros after the end.
        lengths: Frames of each, ``[N]``.
        first: Frame that is seen first, ``[N]``, may be a fraction.
        fps: Frames a second that are seen, of 12.
        noise: Standard deviation that is added.
        missing: Share of these frames that is lost, at random.
    """
    gap = FPS / fps
    steps = torch.arange(int(np.ceil(LONGEST / gap)) + 1)
    frames = (first[:, None] + steps * gap).round().long()
    there = frames < lengths[:, None]
    if missing:
        there &= torch.rand(frames.shape) >= missing
    frames = frames.clamp(max=hands.shape[1] - 1)
    chosen = hands.gather(1, frames[..., None].expand(-1, -1, hands.shape[2]))
    chosen = chosen + noise * torch.randn_like(chosen)
    chosen = torch.cat([chosen, torch.ones_like(chosen[..., :1])], 2)
    chosen = chosen * there[..., None]
    return chosen.flatten(1)


def collect(split: str, number: int, stream: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Labels, hands and lengths of ``number`` performances."""
    drawn = [draw(split, index, stream) for index in range(number)]
    hands = torch.zeros(number, LONGEST, drawn[0][1].shape[1])
    for row, (_, one) in zip(hands, drawn, strict=True):
        row[: len(one)] = torch.from_numpy(one)
    lengths = torch.tensor([len(one) for _, one in drawn])
    return torch.tensor([label for label, _ in drawn]), hands, lengths


def main() -> None:
    """Print a line a rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fps", type=float, nargs="+", default=[1, 2, 4])
    parser.add_argument("--performances", type=int, default=54000)
    parser.add_argument("--test", type=int, default=540)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        help="0.1: a tenth of the picture in place, 4.5 degrees in a joint",
    )
    parser.add_argument(
        "--missing",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of the frames at a rate, lost at random",
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    for stream in (True, False):
        train = collect("train", args.performances, stream)
        test = collect("validation", args.test, stream)
        for fps in args.fps:
            right = tell(train, test, fps, stream, args)
            kind = "gestures of streams" if stream else "clips"
            print(f"{kind}, {fps:g} frames a second: {100 * right:.1f} %", flush=True)


def tell(
    train: tuple[Tensor, Tensor, Tensor],
    test: tuple[Tensor, Tensor, Tensor],
    fps: float,
    stream: bool,
    args: argparse.Namespace,
) -> float:
    """Share of the test's performances that are told after training."""

    def first(number: int) -> Tensor:
        return torch.rand(number) * FPS / fps if stream else torch.zeros(number)

    def look(hands: Tensor, lengths: Tensor) -> Tensor:
        begins = first(len(hands))
        return seen(hands, lengths, begins, fps, args.noise, args.missing)

    labels, hands, lengths = train
    width = look(hands[:1], lengths[:1]).shape[1]
    model = nn.Sequential(
        nn.Linear(width, 512),
        nn.ReLU(),
        nn.Linear(512, 512),
        nn.ReLU(),
        nn.Linear(512, len(CLASSES)),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    steps = args.epochs * (len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    for step in range(steps):
        if step % (len(labels) // BATCH) == 0:
            order = torch.randperm(len(labels))
        batch = order[:BATCH]
        order = order[BATCH:]
        loss = cross_entropy(model(look(hands[batch], lengths[batch])), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    labels, hands, lengths = test
    with torch.no_grad():
        # Of streams every gesture is seen with several first frames.
        rounds = 20 if stream else 1
        answers = [
            model(look(hands, lengths)).argmax(1) == labels for _ in range(rounds)
        ]
    return torch.stack(answers).float().mean().item()


if __name__ == "__main__":
    main()
