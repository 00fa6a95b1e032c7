"""Train every variant of a study over several seeds, and report.

Finished runs are kept: the same command goes on where it was stopped, and studies with
the same `--out` share the runs that they have in common.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from harness.data import provide
from harness.launch import default_jobs, launch
from harness.plan import clips_of, plan_runs
from harness.report import write_report
from harness.study import SIZES, load_study, study_names


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", help=f"{', '.join(study_names())}, or a .py file")
    parser.add_argument("--size", choices=SIZES, default="quick")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 to N - 1")
    parser.add_argument(
        "--jobs", type=int, help="runs at a time; default: one per GPU or processor"
    )
    parser.add_argument("--data", type=Path, default=Path("data/experiments"))
    parser.add_argument("--out", type=Path, default=Path("work_dirs/experiments"))
    parser.add_argument(
        "--only", nargs="+", metavar="VARIANT", help="train these variants only"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the checkpoints of finished runs"
    )
    return parser.parse_args()


def main() -> None:
    """Render, train and report, or say why not."""
    args = parse_args()
    data, out = args.data.resolve(), args.out.resolve()
    jobs = args.jobs or default_jobs()
    try:
        study = load_study(args.study)
        runs = plan_runs(study, args.size, args.seeds, data, out)
        if args.only:
            unknown = set(args.only) - {run.variant for run in runs}
            if unknown:
                raise ValueError(f"The study has no variant {sorted(unknown)}.")
            runs = [run for run in runs if run.variant in args.only]
        for clips in clips_of(study, args.size):
            provide(clips, data, jobs)
        # Not before: forked renderers would inherit it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
        failed = launch(runs, jobs, args.keep)
    except ValueError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on where it left off")
    if not failed:
        write_report(args.study, args.size, args.seeds, data, out)
    else:
        sys.exit(f"{len(failed)} runs failed")


if __name__ == "__main__":
    main()
