"""The error of a video that cannot be read."""

from __future__ import annotations

REENCODE = "Encode it anew (ffmpeg -i OLD -pix_fmt yuv420p NEW.mp4) or leave it out"


class VideoError(ValueError):
    """A video that is damaged, or that its decoder cannot read as it was filmed.

    The message names the file, the decoder, the reason and what to do.
    """


def unreadable(
    path: str, decoder: str, reason: object, advice: str = REENCODE
) -> VideoError:
    """Make the error of a file.

    Args:
        path: The file.
        decoder: Name of the decoder in ``DECODERS``.
        reason: What is wrong, without a full stop.
        advice: What to do about it, without a full stop.
    """
    # One argument, so that it survives the way out of a data loader's process.
    return VideoError(f"{path} cannot be read by {decoder}: {reason}. {advice}.")
