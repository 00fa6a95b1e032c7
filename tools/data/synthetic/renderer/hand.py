"""Proportions and forward kinematics of the hand.

The hand's own axes are `u` (wrist to middle finger), `v` (towards the thumb) and
`n` (out of the palm). Camera axes are x to the right, y down, z away from the
camera; the unit of length is the height of the picture at depth 1. With all angles
zero the palm faces the camera, the fingers point up and the thumb lies towards the
right of the picture: the right hand of a person who faces the camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Wrist to knuckle, as (u, v) in hand lengths, from index to little finger.
_KNUCKLES = np.array([[0.50, 0.135], [0.52, 0.035], [0.49, -0.06], [0.44, -0.145]])
_PHALANGES = np.array(
    [
        [0.225, 0.135, 0.105],
        [0.245, 0.155, 0.110],
        [0.225, 0.145, 0.105],
        [0.180, 0.105, 0.095],
    ]
)
_THUMB_BASE = np.array([0.10, 0.10])
_THUMB_BONES = np.array([0.215, 0.185, 0.155])
# Radii at the ends of the phalanges: knuckle, middle joint, end joint, tip.
_FINGER_RADII = np.array([0.052, 0.047, 0.042, 0.035])
_THUMB_RADII = np.array([0.070, 0.056, 0.050, 0.040])
_WRIST_RADIUS = 0.085


@dataclass(frozen=True)
class HandShape:
    """Proportions of one person's hand, in picture heights at depth 1."""

    length: float
    finger_length: float = 1.0
    finger_width: float = 1.0
    palm_width: float = 1.0


@dataclass(frozen=True)
class HandJoints:
    """Joint positions in camera space over `T` frames.

    Attributes:
        fingers: `[T, 5, 4, 3]`; index to little finger, then thumb; base to tip.
        finger_radii: `[5, 4]`.
        palm: `[T, 6, 3]`; the two sides of the wrist, then the four knuckles.
        palm_radii: `[6]`.
        palmar: `[T, 5, 3]` z component of each phalanx's palm-side normal;
            negative where the palm side faces the camera.
        palm_normal: `[T, 3]`.
    """

    fingers: np.ndarray
    finger_radii: np.ndarray
    palm: np.ndarray
    palm_radii: np.ndarray
    palmar: np.ndarray
    palm_normal: np.ndarray


def rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation matrices from hand to camera axes.

    Args:
        angles: `[T, 4]` degrees: tilt in the picture plane (positive clockwise on
            screen), pitch (positive brings the finger tips towards the camera), yaw
            about the fingers' axis, twist in the palm's own plane (positive
            clockwise). They apply from last to first.

    Returns:
        `[T, 3, 3]`, the columns being the camera axes of the turned x, y, z.
    """
    cos, sin = np.cos(np.radians(angles)), np.sin(np.radians(angles))
    zero, one = np.zeros(len(angles)), np.ones(len(angles))

    def matrix(*rows: np.ndarray) -> np.ndarray:
        return np.stack(rows, axis=-1).reshape(-1, 3, 3)

    def about_z(c: np.ndarray, s: np.ndarray) -> np.ndarray:
        return matrix(c, -s, zero, s, c, zero, zero, zero, one)

    tilt = about_z(cos[:, 0], sin[:, 0])
    c, s = cos[:, 1], sin[:, 1]
    pitch = matrix(one, zero, zero, zero, c, -s, zero, s, c)
    c, s = cos[:, 2], sin[:, 2]
    yaw = matrix(c, zero, s, zero, one, zero, -s, zero, c)
    twist = about_z(cos[:, 3], sin[:, 3])
    return tilt @ pitch @ yaw @ twist


def forward_kinematics(
    shape: HandShape, wrist: np.ndarray, angles: np.ndarray, pose: np.ndarray
) -> HandJoints:
    """Place all joints of the hand for all frames at once.

    Args:
        shape: The person's hand.
        wrist: `[T, 3]` position of the wrist in camera space.
        angles: `[T, 4]` orientation in degrees, see :func:`rotation`.
        pose: `[T, 18]` joint angles in degrees, see :mod:`.poses`.
    """
    frames = len(wrist)
    turn = rotation(angles)
    u, v, n = -turn[:, :, 1], turn[:, :, 0], -turn[:, :, 2]
    axes = np.stack([u, v, n], axis=1)  # [T, 3, 3]: local (u, v, n) -> camera

    bend = np.radians(pose[:, :12].reshape(frames, 4, 3))
    knuckle, middle, spread = bend[..., 0], bend[..., 1], bend[..., 2]
    # The end joint cannot be bent at will: it follows the middle joint.
    flexion = np.stack(
        [knuckle, knuckle + middle, knuckle + 1.6 * middle], axis=-1
    )  # [T, 4, 3]
    along, out = np.cos(flexion), np.sin(flexion)
    aside = np.sin(spread)[..., None]
    ahead = np.cos(spread)[..., None]
    finger_dirs = np.stack([along * ahead, along * aside, out], axis=-1)
    palmar = np.stack([-out * ahead, -out * aside, along], axis=-1)

    thumb = np.radians(pose[:, 12:].reshape(frames, 3, 2))
    side, lift = thumb[..., 0], thumb[..., 1]
    thumb_dirs = np.stack(
        [
            np.cos(lift) * np.cos(side),
            np.cos(lift) * np.sin(side),
            np.sin(lift),
        ],
        axis=-1,
    )[:, None]
    thumb_palmar = np.stack(
        [
            -np.sin(lift) * np.cos(side),
            -np.sin(lift) * np.sin(side),
            np.cos(lift),
        ],
        axis=-1,
    )[:, None]

    bones = np.concatenate(
        [_PHALANGES * shape.finger_length, _THUMB_BONES[None] * shape.finger_length]
    )
    directions = np.concatenate([finger_dirs, thumb_dirs], axis=1)  # [T, 5, 3, 3]
    steps = directions * bones[None, :, :, None]

    widths = np.array([1.0, shape.palm_width])
    base_2d = np.concatenate([_KNUCKLES, _THUMB_BASE[None]]) * widths
    base = np.concatenate([base_2d, np.zeros((5, 1))], axis=1)
    local = np.empty((frames, 5, 4, 3))
    local[:, :, 0] = base
    local[:, :, 1:] = base[None, :, None] + np.cumsum(steps, axis=2)
    palm_local = np.zeros((6, 3))
    palm_local[:2, 1] = np.array([0.06, -0.06]) * shape.palm_width
    palm_local[2:, :2] = base_2d[:4]

    def to_camera(points: np.ndarray) -> np.ndarray:
        flat = points.reshape(points.shape[0], -1, 3) @ axes * shape.length
        return (flat + wrist[:, None]).reshape(frames, *points.shape[1:])

    normals = np.concatenate([palmar, thumb_palmar], axis=1).reshape(frames, 15, 3)
    scale = shape.length * shape.finger_width
    return HandJoints(
        fingers=to_camera(local),
        finger_radii=np.concatenate(
            [np.tile(_FINGER_RADII, (4, 1)), _THUMB_RADII[None]]
        )
        * scale,
        palm=to_camera(np.broadcast_to(palm_local, (frames, 6, 3))),
        palm_radii=np.array([_WRIST_RADIUS * 0.8] * 2 + [_FINGER_RADII[0] * 1.05] * 4)
        * scale,
        palmar=(normals @ axes)[..., 2].reshape(frames, 5, 3),
        palm_normal=n,
    )
