"""Find videos that a decoder cannot read, even those that crash it.

Usage::

    python tools/data/custom/scan_videos.py data/custom/train_list.txt \
        --root data/custom --write-good data/custom/train_list_good.txt
    python tools/data/custom/scan_videos.py data/custom

Every frame of every file is decoded in a child process, because a damaged file
can make decord abort, which no program survives that decodes itself.
Exits with status 1 if any file is bad.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from lcr_runtime.folders import scan_folder
from lcr_runtime.text import TextFileError, read_lines, write_lines
from lcr_runtime.video import DECODERS, open_video


def fault_of(path: str, decoder: str) -> str | None:
    """Decode a whole file; return what is wrong with it."""
    try:
        with open_video(path, decoder) as reader:
            for _ in reader:
                pass
    except Exception as error:
        text = str(error).removeprefix(path).strip().splitlines()
        return text[0][:300] if text else type(error).__name__
    return None


def serve(connection: Connection, decoder: str) -> None:
    """Child process: answer each path with what is wrong with the file."""
    while True:
        path = connection.recv()
        connection.send(fault_of(path, decoder))


class Child:
    """A decoding process that is replaced when it dies or hangs."""

    def __init__(self, decoder: str, timeout: float) -> None:
        self.decoder, self.timeout = decoder, timeout
        self.start()

    def start(self) -> None:
        """Start a fresh process."""
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, self.decoder), daemon=True
        )
        self.process.start()
        theirs.close()

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.connection.close()

    def fault(self, path: str) -> str | None:
        """Return what is wrong with a file, None if nothing."""
        try:
            self.connection.send(path)
            if self.connection.poll(self.timeout):
                return self.connection.recv()
            fault = f"decoding takes longer than {self.timeout:g} s"
        except (EOFError, ConnectionError):
            self.process.join()
            fault = f"crashes the decoder (exit status {self.process.exitcode})"
        self.stop()
        self.start()
        return fault


def scan(
    paths: list[str], decoder: str, jobs: int, timeout: float
) -> Iterator[tuple[str, str | None]]:
    """Yield every path with what is wrong with it."""
    children = [Child(decoder, timeout) for _ in range(jobs)]
    idle: SimpleQueue[Child] = SimpleQueue()
    for child in children:
        idle.put(child)

    def check(path: str) -> str | None:
        child = idle.get()
        try:
            return child.fault(path)
        finally:
            idle.put(child)

    try:
        with ThreadPoolExecutor(jobs) as pool:
            yield from zip(paths, pool.map(check, paths), strict=True)
    finally:
        for child in children:
            child.stop()


def find_videos(source: Path, root: Path) -> dict[str, str]:
    """Return ``{path: list line}``, lines being empty for a folder."""
    if source.is_dir():
        scan = scan_folder(source)
        if report := scan.report():
            print(report)
        return {str(path): "" for path in scan.videos}
    if not source.is_file():
        sys.exit(f"{source} is neither a folder nor a list file.")
    try:
        lines = [line.strip() for line in read_lines(source) if line.strip()]
    except TextFileError as error:
        sys.exit(str(error))
    return {str(root / line.rsplit(None, 1)[0]): line for line in lines}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="list file or folder of videos")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="folder the list's paths start from"
    )
    parser.add_argument("--decoder", choices=DECODERS, default="pyav")
    parser.add_argument("--jobs", type=int, default=2, help="child processes (2)")
    parser.add_argument(
        "--timeout", type=float, default=60, help="seconds allowed per file (60)"
    )
    parser.add_argument(
        "--write-good", type=Path, help="write the list's good lines to this file"
    )
    args = parser.parse_args()
    if args.write_good and args.source.is_dir():
        parser.error("--write-good needs a list file to scan, not a folder")
    return args


def main() -> None:
    """Scan and report."""
    args = parse_args()
    videos = find_videos(args.source, args.root)
    if not videos:
        sys.exit(f"{args.source} holds no videos.")
    good, bad = [], 0
    for done, (path, fault) in enumerate(
        scan(list(videos), args.decoder, args.jobs, args.timeout), 1
    ):
        if fault:
            bad += 1
            print(f"{path}: {fault}")
        else:
            good.append(videos[path])
        if done % 100 == 0:
            print(f"  {done} of {len(videos)} scanned, {bad} bad", file=sys.stderr)
    print(f"{bad} of {len(videos)} videos are bad for {args.decoder}.")
    if args.write_good:
        write_lines(args.write_good, good)
        print(f"Wrote {args.write_good}: {len(good)} lines")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
