"""Write the weights of a checkpoint alone, in half precision, to ship them.

Example:
    python tools/deployment/ship_model.py work_dirs/lcr_jester_stream/epoch_8.pth \
        lcr_mmaction/checkpoints/lcr_jester_stream.pth
"""

from __future__ import annotations

import argparse

import torch
from mmengine.runner import CheckpointLoader

from lcr_mmaction.command_line import input_file, output_file
from lcr_mmaction.loading import EDGES

MAX_BYTES = 3 * 1024 * 1024


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=input_file, help="of a training run")
    parser.add_argument("out", type=output_file(".pth"), help="file to write")
    return parser.parse_args()


def main() -> None:
    """Write the file, or say why it may not be shipped."""
    args = parse_args()
    checkpoint = CheckpointLoader.load_checkpoint(
        str(args.checkpoint), map_location="cpu"
    )
    weights = checkpoint["state_dict"]
    for name, value in weights.items():
        # In place: what the weights mean is kept beside them, in their metadata.
        weights[name] = value.half() if value.is_floating_point() else value
    meta = {"dataset_meta": dict(checkpoint["meta"].get("dataset_meta") or {})}
    meta[EDGES] = checkpoint["meta"].get(EDGES)
    torch.save({"state_dict": weights, "meta": meta}, args.out)
    size = args.out.stat().st_size
    if size > MAX_BYTES:
        args.out.unlink()
        raise SystemExit(f"{size} bytes: at most {MAX_BYTES} are shipped")
    print(f"{args.out}: {len(weights)} tensors, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
