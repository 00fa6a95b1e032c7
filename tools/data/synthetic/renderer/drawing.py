"""Draw hand and arm back to front from filled, outlined capsules."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .hand import forward_kinematics
from .motion import Motion
from .person import FRAME_HEIGHT, Person
from .scene import SHIFT, fixed

_HALF_CIRCLE = np.linspace(-np.pi / 2, np.pi / 2, 6)
_CIRCLE = np.linspace(0, 2 * np.pi, 10, endpoint=False)
_OUTLINE = 0.9  # pixels
_PALE = np.array([175.0, 190.0, 235.0])  # what palms tend towards
# Fingers reach less towards the camera than they would at arm's length: webcams
# stand further off than a picture height suggests.
_FLATTEN = 0.6
_PALM = 15  # place of the palm among the parts: after the 15 phalanges


def _capsules(start: np.ndarray, end: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Outlines of tapered capsules.

    Args:
        start: `[..., 2]` pixels.
        end: `[..., 2]` pixels.
        radii: `[..., 2]` radius at start and end.

    Returns:
        `[..., 12, 2]` pixels.
    """
    along = end - start
    heading = np.arctan2(along[..., 1], along[..., 0])[..., None]
    front, back = heading + _HALF_CIRCLE, heading + np.pi + _HALF_CIRCLE
    caps = [
        centre[..., None, :]
        + radius[..., None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        for centre, radius, angle in (
            (end, radii[..., 1], front),
            (start, radii[..., 0], back),
        )
    ]
    return np.concatenate(caps, axis=-2)


class HandDrawing:
    """Polygons, colours and drawing order of hand and arm for all frames.

    Attributes:
        box: `[T, 4]` left, top, right, bottom of the fingers in pixels.
        centre: `[T, 2]` middle of the hand in pixels.
    """

    def __init__(
        self,
        motion: Motion,
        person: Person,
        camera: np.ndarray,
        shade: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        """Lay out all frames.

        Args:
            motion: What the hand does over `T` frames.
            person: Whose hand.
            camera: `[T, 2]` shift of the picture in pixels.
            shade: Relative brightness at pixels `[T, 2]`.
        """
        joints = forward_kinematics(
            person.hand, motion.wrist, motion.angles, motion.pose
        )
        self._person, self._mirror = person, motion.mirror
        self._camera, self._shade = camera, shade
        self._wrist_depth = motion.wrist[:, 2]
        frames = len(motion)
        fingers, depth = self._project(joints.fingers)
        radius = joints.finger_radii[None] * FRAME_HEIGHT / depth
        start = fingers[:, :, :-1].reshape(frames, 15, 2)
        end = fingers[:, :, 1:].reshape(frames, 15, 2)
        radii = np.stack([radius[:, :, :-1], radius[:, :, 1:]], -1)
        arm_start, arm_end, arm_radii, arm_depth = self._arm(motion.wrist)
        start = np.concatenate([start, arm_start], 1)
        end = np.concatenate([end, arm_end], 1)
        radii = np.concatenate([radii.reshape(frames, 15, 2), arm_radii], 1)
        outer = fixed(_capsules(start, end, radii + _OUTLINE))
        inner = fixed(_capsules(start, end, radii))
        self.outer = [list(shapes) for shapes in outer]
        self.inner = [list(shapes) for shapes in inner]
        self._insert_palm(joints.palm, joints.palm_radii)
        order = ((depth[:, :, :-1] + depth[:, :, 1:]) / 2).reshape(frames, 15)
        facing = -joints.palm_normal[:, 2]
        palm_depth = joints.palm[:, :, 2].mean(1)
        palm_depth = self._flatten(palm_depth) + 0.012
        keys = np.concatenate([order, palm_depth[:, None], arm_depth], 1)
        self.order = np.argsort(-keys, axis=1).tolist()
        tips = inner[:, :15].reshape(frames, -1, 2)
        self.box = np.concatenate([tips.min(1), tips.max(1)], 1) / (1 << SHIFT)
        self.centre = start[:, :12].mean(1)
        self._colour(joints.palmar.reshape(frames, 15), facing, keys)

    def _flatten(self, depth: np.ndarray) -> np.ndarray:
        anchor = self._wrist_depth.reshape(-1, *[1] * (depth.ndim - 1))
        return np.maximum(anchor + _FLATTEN * (depth - anchor), 0.2)

    def _project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Camera space `[T, ..., 3]` to pixels `[T, ..., 2]` and depth `[T, ...]`."""
        depth = self._flatten(points[..., 2])
        sign = self._mirror.reshape(-1, *[1] * (depth.ndim - 1))
        x = self._person.width / 2 + FRAME_HEIGHT * sign * points[..., 0] / depth
        y = FRAME_HEIGHT / 2 + FRAME_HEIGHT * points[..., 1] / depth
        camera = self._camera.reshape(-1, *[1] * (depth.ndim - 1), 2)
        return np.stack([x, y], -1) + camera, depth

    def _arm(
        self, wrist: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Forearm and sleeve: start, end, radii and depth, each `[T, 2, ...]`."""
        person = self._person
        elbow = np.empty_like(wrist)
        elbow[:, 0] = person.elbow[0] + 0.35 * wrist[:, 0]
        elbow[:, 1] = np.maximum(person.elbow[1] + 0.3 * wrist[:, 1], wrist[:, 1] + 0.1)
        elbow[:, 2] = wrist[:, 2] + 0.25
        cuff = wrist + person.sleeve_reach * (elbow - wrist)
        points, depth = self._project(np.stack([wrist, cuff, elbow], 1))
        thin = 0.082 * person.hand.finger_width
        size = person.hand.length * FRAME_HEIGHT / depth[:, 1:]
        sleeve = thin * person.sleeve_width * 1.35
        widths = np.array([[thin, thin * 1.5], [sleeve, sleeve * 1.35]])
        return (
            points[:, :2],
            np.stack([points[:, 2], points[:, 2]], 1),
            size[..., None] * widths,
            np.stack([depth[:, 2] + 0.1, depth[:, 2] + 0.05], 1),
        )

    def _insert_palm(self, palm: np.ndarray, radii: np.ndarray) -> None:
        points, depth = self._project(palm)
        circle = np.stack([np.cos(_CIRCLE), np.sin(_CIRCLE)], -1)
        size = (radii * FRAME_HEIGHT / depth)[..., None, None]
        inner = fixed(points[:, :, None] + size * circle)
        outer = fixed(points[:, :, None] + (size + _OUTLINE) * circle)
        for frame, (small, large) in enumerate(zip(inner, outer, strict=True)):
            self.inner[frame].insert(_PALM, cv2.convexHull(small.reshape(-1, 2)))
            self.outer[frame].insert(_PALM, cv2.convexHull(large.reshape(-1, 2)))

    def _colour(
        self, palmar: np.ndarray, facing: np.ndarray, depth: np.ndarray
    ) -> None:
        person = self._person
        pale = person.skin + person.palm_tint * (_PALE - person.skin)
        toward = np.concatenate([-palmar, facing[:, None], facing[:, None] * 0 - 1], 1)
        mix = np.clip(0.5 + 1.5 * toward, 0, 1)[..., None]
        colour = person.skin + mix * (pale - person.skin)
        near = np.clip((self._wrist_depth[:, None] - depth[:, :17]) * 0.9, -0.25, 0.25)
        stripe = np.tile([0.03, 0.0, -0.03], 5)
        # Backs are darker than palms: bent fingers stand out before the palm.
        shade = 0.86 + 0.14 * toward + near
        shade[:, :15] += stripe
        shade *= self._shade(self.centre)[:, None]
        colour = colour * shade[..., None]
        sleeve = person.sleeve * self._shade(self.centre)[:, None]
        colour = np.concatenate([colour, sleeve[:, None]], 1)
        colour = np.clip(colour, 0, 255)
        self.fill = colour.tolist()
        self.edge = (colour * 0.5).tolist()

    def draw(self, picture: np.ndarray, frame: int) -> None:
        """Paint arm and hand, far parts first."""
        outer, inner = self.outer[frame], self.inner[frame]
        fill, edge = self.fill[frame], self.edge[frame]
        for part in self.order[frame]:
            cv2.fillConvexPoly(picture, outer[part], edge[part], cv2.LINE_AA, SHIFT)
            cv2.fillConvexPoly(picture, inner[part], fill[part], cv2.LINE_AA, SHIFT)
