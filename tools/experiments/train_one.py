"""Train one run of a study; `run.py` starts it in a process of its own."""

from __future__ import annotations

import argparse
import fcntl
from pathlib import Path

from harness.train import train


def main() -> None:
    """Train, unless another process has done so in the meantime."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the run's config.py")
    parser.add_argument("--keep", action="store_true", help="keep the checkpoint")
    args = parser.parse_args()
    with open(args.folder / "lock", "w") as lock:
        # Studies share runs and may be started side by side. The system frees the
        # lock of a process that is gone.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (args.folder / "result.json").exists():
            train(args.folder, args.keep)


if __name__ == "__main__":
    main()
