"""Run an exported step on a video or camera: OpenCV, NumPy and ONNX Runtime alone.

python demo/onnx_stream.py step.onnx video.mp4
"""

import json
import sys

import cv2
import numpy as np
import onnxruntime


def prepare(frame, transforms):
    """Resize, crop and add edges to a BGR frame; uint8 ``H x W x 4``."""
    frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    for step in transforms:
        (height, width), kind = frame.shape[:2], step["type"]
        if kind == "Resize":
            short, long = sorted(step["scale"])
            short, long = (long, np.inf) if short == -1 else (short, long)
            scale = min(long / max(height, width), short / min(height, width))
            size = (int(width * scale + 0.5), int(height * scale + 0.5))
            frame = cv2.resize(
                frame, size if step.get("keep_ratio", True) else step["scale"]
            )
        elif kind == "CenterCrop":
            crop = step["crop_size"]
            top, left = (height - crop) // 2, (width - crop) // 2
            frame = frame[top : top + crop, left : left + crop]
        elif kind == "EdgeExtract" and step.get("method", "canny_otsu") == "canny_otsu":
            grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            high, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
            edges = cv2.Canny(grey, step.get("low_ratio", 0.5) * high, high)
            frame = np.dstack([frame, edges])
        else:
            raise SystemExit(f"onnx_stream: this example cannot do {step}")
    return frame


def main():
    """Print the class of every frame."""
    session = onnxruntime.InferenceSession(sys.argv[1])
    about = session.get_modelmeta().custom_metadata_map
    labels, transforms = json.loads(about["labels"]), json.loads(about["transforms"])
    state = {x.name: np.zeros(x.shape, np.float32) for x in session.get_inputs()[1:]}
    keep, total, weight = json.loads(about["average"]), 0.0, 0.0
    source = int(sys.argv[2]) if sys.argv[2].isdigit() else sys.argv[2]
    capture = cv2.VideoCapture(source)
    while (read := capture.read())[0]:
        frame = prepare(read[1], transforms)
        logits, *after = session.run(None, {"input": frame[None], **state})
        state = dict(zip(state, after, strict=True))
        total, weight = keep * total + logits[0], keep * weight + 1
        scores = np.exp(total / weight - np.logaddexp.reduce(total / weight))
        print(f"{labels[scores.argmax()]}\t{scores.max():.6f}")


if __name__ == "__main__":
    main()
