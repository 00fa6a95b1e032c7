"""Compare the finished runs of a study: CSV, Markdown table and pictures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.report import write_page, write_report
from harness.study import SIZES, study_names


def parse_args() -> argparse.Namespace:
    """Read the command line; arguments are those of the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", help=f"{', '.join(study_names())}, or a .py file")
    parser.add_argument("--size", choices=SIZES, default="quick")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 to N - 1")
    parser.add_argument("--data", type=Path, default=Path("data/experiments"))
    parser.add_argument("--out", type=Path, default=Path("work_dirs/experiments"))
    parser.add_argument(
        "--page",
        type=Path,
        metavar="FILE.md",
        help="also put table and pictures into this page, made if missing",
    )
    return parser.parse_args()


def main() -> None:
    """Write the report."""
    args = parse_args()
    try:
        report = write_report(
            args.study, args.size, args.seeds, args.data.resolve(), args.out.resolve()
        )
        if args.page:
            write_page(args.page, report)
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
