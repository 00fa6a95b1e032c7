"""Windows whose frames come at a rate that varies, with the times between them."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class SampleVariedRate(BaseTransform):
    """Sample frames as cameras give them: at any rate, unevenly, with some missing.

    A window has one rate up to a random frame and another one after it, each
    log-uniform in ``rates``. Every time between frames is off by up to ``jitter``, and
    frames are missing with a chance between 0 and ``drop``, drawn once a window. The
    middle of the window falls on a random frame of the sample's gesture, or of the
    whole video where there is none. Beyond the video's ends its last frame is repeated
    with no time in between, which tells the model nothing. A share of the windows,
    drawn at random, is steady: at ``rate``, with nothing off and no frame missing.
    Another share begins where the sample's gesture does, as a clip of it would.

    ``elapsed`` is what lies between the frames that were chosen, to the frame: give it
    to :class:`~lcr_mmaction.models.LCRRecognizer` with ``PackActionInputs(meta_keys=
    ("elapsed",))``.

    Required keys: ``total_frames``, ``start_index``; ``fps`` where ``rate`` is used;
    optional: ``gesture``. Added keys: ``frame_inds``, ``elapsed`` (float32 ``[T]``, in
    intervals between frames of ``rate``; 1 for the first), ``clip_len``,
    ``frame_interval``, ``num_clips``.

    Args:
        clip_len: Frames T of a window.
        rate: Frames a second that count as one interval each; None takes that at which
            ``clip_len`` frames cover the video.
        rates: Least and largest factor on ``rate``.
        jitter: Largest share by which a time between frames is off, in [0, 1).
        drop: Largest chance of a frame to be missing, in [0, 1).
        steady: Share of windows without any of that, in [0, 1].
        clips: Share of windows that begin with the gesture, in [0, 1].

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(
        self,
        clip_len: int,
        rate: float | None = None,
        rates: tuple[float, float] = (0.4, 4.0),
        jitter: float = 0.2,
        drop: float = 0.4,
        steady: float = 0.0,
        clips: float = 0.0,
    ) -> None:
        if not 0 < rates[0] <= rates[1]:
            raise ValueError(f"rates={rates}: expected 0 < least <= largest")
        if not (0 <= jitter < 1 and 0 <= drop < 1):
            raise ValueError(
                f"jitter={jitter} and drop={drop} must be in [0, 1): they are shares"
            )
        for name, share in dict(steady=steady, clips=clips).items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name}={share} must be in [0, 1]: it is a share")
        self.clip_len = clip_len
        self.rate = rate
        self.rates = rates
        self.jitter = jitter
        self.drop = drop
        self.steady = steady
        self.clips = clips

    def transform(self, results: dict) -> dict:
        """Choose the frames.

        Raises:
            KeyError: ``rate`` is given, but the video's ``fps`` is not known.
        """
        total = results["total_frames"]
        if self.rate is None:
            interval = total / self.clip_len
        elif "fps" in results:
            interval = results["fps"] / self.rate
        else:
            raise KeyError("SampleVariedRate with rate= needs the video's fps")
        times = self._times() * interval
        gesture = results.get("gesture", (0, total))
        if np.random.random() < self.clips:
            first = float(gesture[0])
        else:
            middle = np.random.randint(*gesture)
            first = np.clip(middle - times[-1] / 2, 0, max(0, total - 1 - times[-1]))
        frames = np.minimum(np.round(first + times), total - 1).astype(np.int64)
        results["frame_inds"] = frames + results["start_index"]
        elapsed = np.diff(frames, prepend=frames[0] - interval) / interval
        results["elapsed"] = elapsed.astype(np.float32)
        results["clip_len"] = self.clip_len
        results["frame_interval"] = interval
        results["num_clips"] = 1
        return results

    def _times(self) -> np.ndarray:
        """When frames come, in intervals from the first."""
        gaps = self.clip_len - 1
        if np.random.random() < self.steady:
            return np.arange(self.clip_len, dtype=float)
        low, high = np.log(self.rates)
        rates = np.exp(np.random.uniform(low, high, 2))
        after = np.arange(gaps) >= np.random.randint(gaps + 1)
        steps = 1 / rates[after.astype(int)]
        steps *= 1 + self.jitter * np.random.uniform(-1, 1, gaps)
        taken = np.random.geometric(1 - np.random.uniform(0, self.drop), gaps)
        return np.concatenate([[0.0], np.cumsum(steps * taken)])

    def __repr__(self) -> str:
        """Show the settings, as MMAction2 logs its pipelines."""
        return (
            f"{type(self).__name__}(clip_len={self.clip_len}, rate={self.rate}, "
            f"rates={self.rates}, jitter={self.jitter}, drop={self.drop}, "
            f"steady={self.steady}, clips={self.clips})"
        )
