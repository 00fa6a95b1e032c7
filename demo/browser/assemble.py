"""Put the page together: its scripts, a model and onnxruntime-web, in one folder.

    npm install onnxruntime-web
    python demo/browser/assemble.py site
    python -m http.server --directory site

Any web server will do; browsers give their camera to ``localhost`` and ``https://``
only. Threads need the headers ``Cross-Origin-Opener-Policy: same-origin`` and
``Cross-Origin-Embedder-Policy: require-corp``.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from lcr_runtime.arguments import input_file, output_folder
from lcr_runtime.engines import open_engine
from lcr_runtime.shipped import shipped_file

HERE = Path(__file__).resolve().parent
RUNTIME = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=output_folder, help="folder to write")
    parser.add_argument(
        "--model",
        type=input_file,
        help="file that `lcr export` wrote; default: the package's own",
    )
    parser.add_argument(
        "--modules",
        type=Path,
        default=Path("node_modules"),
        help="where npm put onnxruntime-web; default: node_modules",
    )
    return parser.parse_args()


def main() -> None:
    """Copy, and write what the model says of itself beside it."""
    args = parse_args()
    model = args.model or shipped_file()
    scripts = args.modules / "onnxruntime-web" / "dist"
    missing = [name for name in RUNTIME if not (scripts / name).is_file()]
    if missing:
        raise SystemExit(
            f"assemble: {scripts} lacks {', '.join(missing)}: npm install "
            "onnxruntime-web, and give --modules where it is not in node_modules"
        )
    engine = open_engine(model)
    about = {
        "stream": engine.options.as_dict(),
        "transforms": engine.preprocess.steps,
        "recurrent": engine.recurrent,
        "state": engine.state_shapes,
        "made": engine.made,
    }
    (args.out / "model.json").write_text(json.dumps(about), encoding="utf-8")
    shutil.copyfile(model, args.out / "model.onnx")
    for name in ("index.html", "page.js", "picture.js", "stream.js"):
        shutil.copyfile(HERE / name, args.out / name)
    (args.out / "ort").mkdir(exist_ok=True)
    for name in RUNTIME:
        shutil.copyfile(scripts / name, args.out / "ort" / name)
    print(f"{args.out}: python -m http.server --directory {args.out}")


if __name__ == "__main__":
    main()
