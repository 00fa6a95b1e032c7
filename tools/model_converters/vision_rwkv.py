"""Turn the published weights of Vision-RWKV into weights to start a video model from.

Reads vrwkv_{t,s,b}_in1k_224.pth and vrwkv6_{t,s,b}_in1k_224.pth, with or without the
classifier, and finds out which one it is. What it writes holds the whole backbone, so
that a config starts from it with `load_from`; cell and edges are as a fresh backbone
has them, without a part in the result.

Example:
    python tools/model_converters/vision_rwkv.py vrwkv_t_in1k_224.pth \
        checkpoints/vrwkv_tiny.pth
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmengine.runner import CheckpointLoader

from lcr_mmaction.models import LCRBackbone
from lcr_mmaction.models.vision_rwkv.conversion import (
    Conversion,
    ConversionError,
    convert,
    find_arch,
)
from lcr_mmaction.upstream.checkpoints import CheckpointError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", metavar="IN", help="checkpoint of Vision-RWKV")
    parser.add_argument("target", metavar="OUT", type=Path, help="file to write")
    parser.add_argument(
        "--img-size",
        type=int,
        default=224,
        help="img_size of the backbone: positions of another size are resized to it "
        "bicubically (default: %(default)s)",
    )
    return parser.parse_args()


def main() -> None:
    """Write the weights, or say what does not fit."""
    args = parse_args()
    try:
        checkpoint = CheckpointLoader.load_checkpoint(args.source, map_location="cpu")
        arch = find_arch(checkpoint)
        backbone = LCRBackbone(arch=arch, img_size=args.img_size)
        conversion = convert(checkpoint, backbone)
    except (CheckpointError, ConversionError, OSError) as error:
        raise SystemExit(f"{args.source}: {error}") from error
    args.target.parent.mkdir(parents=True, exist_ok=True)
    meta = {"arch": arch, "source": Path(args.source).name}
    torch.save({"state_dict": conversion.state_dict, "meta": meta}, args.target)
    report(conversion)
    print(
        f"{args.target}: {len(conversion.state_dict)} tensors for "
        f"LCRBackbone(arch={arch!r}, img_size={args.img_size})"
    )


def report(conversion: Conversion) -> None:
    """Print what became of every key."""
    for source, target in conversion.placed.items():
        print(f"placed {source} -> {target}")
    if conversion.resized:
        print(f"resized {conversion.resized}")
    for name in conversion.new:
        print(f"new {name}")
    for name in conversion.left:
        print(f"left {name}")


if __name__ == "__main__":
    main()
