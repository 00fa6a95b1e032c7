"""``lcr``: run, export, time and check."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import bench, doctor, export, stream

COMMANDS = (stream, export, bench, doctor)
DESCRIPTION = """Recognise gestures while a video runs.

examples:
  lcr stream 0 --show                            the first camera, in a window
  lcr stream video.mp4 --out seen.mp4 --events - a file; events as JSON lines
  lcr export CONFIG CHECKPOINT model.onnx        a model for places without PyTorch
  lcr stream 0 --model model.onnx --show
  lcr bench                                      how fast this machine is
  lcr doctor                                     what is missing, and how to get it
"""


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="lcr",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in COMMANDS:
        summary = (module.__doc__ or "").splitlines()[0]
        own = commands.add_parser(
            module.__name__.split(".")[-1],
            help=summary,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(own)
        own.set_defaults(run=module.run, parser=own)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; faults of the user's input are one line on stderr."""
    args = make_parser().parse_args(arguments)
    try:
        args.run(args)
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OSError, ValueError, TypeError, ImportError) as error:
        sys.exit(f"{args.parser.prog}: {error}")


if __name__ == "__main__":
    main()
