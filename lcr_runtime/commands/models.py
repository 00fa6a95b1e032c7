"""What the commands that run a model have in common."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ..arguments import input_file, positive
from ..engines import EXPORTED_ENGINES, PRECISIONS
from ..recognizer import StreamRecognizer, load_recognizer
from ..shipped import SHIPPED, shipped_file


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add ``--model`` and what says how it runs."""
    parser.add_argument(
        "--model",
        type=lambda text: text if text == SHIPPED else input_file(text),
        default=SHIPPED,
        help="file that `lcr export` wrote, or a config (.py) for PyTorch; default: "
        f"{SHIPPED!r}, the package's own",
    )
    parser.add_argument(
        "--engine",
        choices=("auto", *EXPORTED_ENGINES, "torch"),
        default="auto",
        help="what computes; auto: the fastest that is installed",
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    parser.add_argument("--threads", type=positive(int), help="of a step")


def load_model(args: argparse.Namespace, **options: Any) -> StreamRecognizer:
    """Load what :func:`add_model` was given.

    Args:
        args: With ``checkpoint`` too, of a config.
        **options: Of the stream; None leaves what the model says.
    """
    path = shipped_file() if args.model == SHIPPED else args.model
    if Path(path).suffix != ".py":
        if args.engine == "torch":
            raise ValueError(
                "engine torch runs configs, not exported files: give --model CONFIG.py "
                "--checkpoint FILE"
            )
        return load_recognizer(
            path, args.engine, args.precision, args.threads, **options
        )
    if args.threads:
        os.environ["OMP_NUM_THREADS"] = str(args.threads)
    try:
        from lcr_mmaction.streaming import StreamingRecognizer
    except ImportError as error:
        raise ImportError(
            f"{path} is a config, which needs PyTorch and MMAction2: pip install "
            f"lcr-mmaction, or give a file that `lcr export` wrote ({error})"
        ) from error
    return StreamingRecognizer(
        path,
        getattr(args, "checkpoint", None),
        getattr(args, "device", "cpu"),
        engine="torch" if args.engine == "auto" else args.engine,
        precision=args.precision,
        **options,
    )
