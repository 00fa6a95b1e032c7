"""README and docs as a reader uses them: commands, code, links."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmaction.apis import init_recognizer
from mmaction.registry import DATASETS
from stream_cases import moving_square, write_video

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for pattern in ("*.md", "docs/**/*.md", "configs/**/*.md", "tools/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]
# What a page writes for something of the reader's.
READERS = {
    "CONFIG": "configs/lcr_jester_tiny.py",
    "CONFIG.py": "configs/lcr_jester_tiny.py",
    "CHECKPOINT": "checkpoint.pth",
    "VIDEO": "video.mp4",
    "STUDY": "components",
    "SOURCE": "source/",
    "TUNING": "tuning/",
    "IN": "in.pth",
    "OUT": "out.pth",
}
# Files of the reader's that a command may look for before it starts.
OWN_FILE = re.compile(r"[\w./-]+\.(pth|mp4|pkl|onnx|whl|json)")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of every fenced block, unindented."""
    text = page.read_text(encoding="utf-8")
    for fence in re.finditer(r"^( *)```(\w*)\n(.*?)^ *```", text, re.S | re.M):
        lines = fence[3].splitlines()
        yield fence[2], "\n".join(line.removeprefix(fence[1]) for line in lines)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Page and words of every command, continued lines joined."""
    for page in PAGES:
        for language, text in blocks(page):
            if language not in ("", "bash", "shell"):
                continue
            for line in text.replace("\\\n", " ").splitlines():
                line = line.split(" # ")[0].split("#  ")[0].strip()
                while re.match(r"[A-Z_]+=\S+ ", line):  # variables set for it
                    line = line.split(" ", 1)[1]
                if re.match(r"(python|make|bash|lcr|\.ci/run)\s", line + " "):
                    words = shlex.split(line.replace("$seed", "0"))
                    name = str(page.relative_to(ROOT))
                    yield name, [READERS.get(word, word) for word in words]


def cases() -> list:
    return [
        pytest.param(words, id=f"{page}: {' '.join(words)[:60]}")
        for page, words in commands()
    ]


class Parsed(Exception):
    """A script understood its command line."""


def lay_out(arguments: list[str], folder: Path) -> None:
    """Make a folder in which a reader could start the command."""
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name not in ("data", "work_dirs"):
            (folder / path.name).symlink_to(path)
    for word in arguments:
        path = folder / word
        if word.startswith("configs/"):
            assert path.exists(), f"there is no {word}"
        elif OWN_FILE.fullmatch(word) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        elif word.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)


def understand(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a program and stop it where it has read its command line."""
    script, *arguments = words
    parse = argparse.ArgumentParser.parse_known_args

    def parse_and_stop(self, args=None, namespace=None):  # noqa: ANN001, ANN202
        _, unknown = parse(self, args, namespace)
        assert not unknown, f"{script} does not know {unknown}"
        raise Parsed

    if script == "lcr":  # what pip makes of the entry point
        with pytest.raises(Parsed):
            from lcr_runtime.commands import main

            monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
            main.main(arguments)
        return
    path = ROOT / script
    assert path.is_file(), f"there is no {script}"
    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", parse_and_stop)
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    monkeypatch.setattr(sys, "path", [str(path.parent), *sys.path])
    # browse_dataset.py changes it for its process.
    monkeypatch.setattr(DATASETS, "build", DATASETS.build)
    with pytest.raises(Parsed):
        runpy.run_path(str(path), run_name="__main__")


@pytest.mark.parametrize("words", cases())
def test_a_command_is_understood(words, tmp_path, monkeypatch):
    program, *rest = words
    lay_out(rest, tmp_path)
    monkeypatch.chdir(tmp_path)
    if program == "make":
        subprocess.run(["make", "-n", *rest], cwd=ROOT, check=True, capture_output=True)
    elif program in ("bash", ".ci/run"):
        assert (ROOT / (rest[0] if rest else program)).is_file()
    elif rest[0] == "demo/web_demo.py" and importlib.util.find_spec("gradio") is None:
        pytest.skip("needs gradio (extra `web`)")
    elif program == "lcr" or rest[0] != "-m":
        try:
            understand(words if program == "lcr" else rest, monkeypatch)
        except SystemExit as error:
            pytest.fail(f"{' '.join(words)}: exit status {error.code}")
    elif rest[1].startswith("lcr_mmaction"):
        importlib.import_module(rest[1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_names_what_exists(page):
    for language, text in blocks(page):
        if language != "python":
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                missing = [x.name for x in node.names if not hasattr(module, x.name)]
                assert not missing, f"{node.module} lacks {missing}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("#"):
            continue
        path = (page.parent / target.split("#")[0]).resolve()
        assert path.exists(), f"{page.name} links to {target}"


def test_the_readmes_python_runs(tmp_path, monkeypatch):
    """Every Python block, word for word, on small files of the names it uses."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    checkpoint = tmp_path / "checkpoint.pth"
    model = init_recognizer(str(ROOT / "configs/lcr_jester_tiny.py"), device="cpu")
    torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
    stream = tmp_path / "data/synthetic_streams/validation/videos/stream_00001.mp4"
    stream.parent.mkdir(parents=True)
    for path in (tmp_path / "clip.mp4", stream):
        write_video(path, moving_square(12))
    monkeypatch.chdir(tmp_path)
    code = [
        text for language, text in blocks(ROOT / "README.md") if language == "python"
    ]
    assert code
    for text in code:
        exec(compile(text, "README.md", "exec"), {"checkpoint": str(checkpoint)})
