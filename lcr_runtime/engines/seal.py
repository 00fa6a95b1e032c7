"""A checksum within an exported file: ONNX has none, and a flipped bit loads."""

from __future__ import annotations

import hashlib
import json

_KEY = b"sha256"
# Field 14 of ONNX's ModelProto, `metadata_props`: a key and a value of fixed lengths.
# Protocol buffers take what follows a message as more of its repeated fields.
_HEAD = b"\x72\x4c\x0a\x06" + _KEY + b"\x12\x42"
_LENGTH = len(_HEAD) + 66


def _tail(content: bytes) -> bytes:
    return _HEAD + json.dumps(hashlib.sha256(content).hexdigest()).encode("ascii")


def seal(content: bytes) -> bytes:
    """Append the checksum of an ONNX file to it, as one more entry of its metadata."""
    return content + _tail(content)


def is_sealed(content: bytes) -> bool:
    """Whether the content is that of :func:`seal`, unchanged."""
    return content[-_LENGTH:] == _tail(content[:-_LENGTH])
