"""Run an exported step on a video or camera, without PyTorch.

python demo/onnx_stream.py step.onnx video.mp4
"""

import json
import sys

import numpy as np
import onnxruntime

from lcr_runtime import open_source
from lcr_runtime.preprocess import PlainPreprocessor


def main():
    """Print the class of every frame that the model reads."""
    session = onnxruntime.InferenceSession(sys.argv[1])
    about = session.get_modelmeta().custom_metadata_map
    labels, fps = json.loads(about["labels"]), json.loads(about["fps"])
    prepare = PlainPreprocessor(json.loads(about["transforms"]))
    state = {x.name: np.zeros(x.shape, np.float32) for x in session.get_inputs()[1:]}
    keep, total, weight = json.loads(about["average"]), 0.0, 0.0
    target = int(sys.argv[2]) if sys.argv[2].isdigit() else sys.argv[2]
    # As many frames a second as the model saw in training, by their times.
    with open_source(target, fps) as source:
        for frame in source:
            picture = prepare(frame.image, source.channel_order)
            logits, *after = session.run(None, {"input": picture[None], **state})
            state = dict(zip(state, after, strict=True))
            total, weight = keep * total + logits[0], keep * weight + 1
            scores = np.exp(total / weight - np.logaddexp.reduce(total / weight))
            print(f"{labels[scores.argmax()]}\t{scores.max():.6f}")


if __name__ == "__main__":
    main()
